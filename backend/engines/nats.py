"""The NATS server with JetStream, from a wheel."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path


@dataclass
class NatsProcess:
    """A running server: its address, and the process to watch and stop."""

    url: str
    process: subprocess.Popen[bytes]

    def stop(self) -> None:
        """Ask the server to finish and wait until it has."""
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def start_nats(data: Path, *, port: int) -> NatsProcess:
    """Start a JetStream server on loopback with its files in ``data``; return when it accepts."""
    data.mkdir(parents=True, exist_ok=True)
    executable = Path(sys.executable).with_name("nats-server")
    log = (data / "nats.log").open("ab")
    process = subprocess.Popen(
        [executable, "-js", "-sd", data, "-a", "127.0.0.1", "-p", str(port)],
        stdout=log,
        stderr=log,
    )
    deadline = time.monotonic() + 15
    while True:
        if process.poll() is not None:
            raise RuntimeError(f"nats-server stopped at once; see {data / 'nats.log'}")
        try:
            socket.create_connection(("127.0.0.1", port), timeout=0.2).close()
        except OSError:
            if time.monotonic() > deadline:
                process.kill()
                raise RuntimeError(f"nats-server did not listen; see {data / 'nats.log'}") from None
            time.sleep(0.02)
            continue
        return NatsProcess(f"nats://127.0.0.1:{port}", process)
