"""Three NATS servers that form a cluster on loopback, to kill and start again one by one."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from backend.engines.home import free_port
from backend.engines.nats import nats_accepts
from backend.engines.processes import Command, RunningEngine, start_and_wait
from tests.support.killing import kill

TOKEN = "a-token-of-this-test"


class NatsCluster:
    """Servers with JetStream, each with its own files. Clients need :data:`TOKEN`."""

    def __init__(self, home: Path, *, size: int = 3) -> None:
        self._home = home
        self._ports = [free_port() for _ in range(size)]
        self._routes = [free_port() for _ in range(size)]
        self._running: dict[int, RunningEngine] = {}

    @property
    def url(self) -> str:
        """All addresses, as an operator writes them: the token stands in the first alone."""
        first, *others = (f"127.0.0.1:{port}" for port in self._ports)
        return ",".join([f"nats://{TOKEN}@{first}", *(f"nats://{other}" for other in others)])

    def start(self, number: int) -> None:
        """Start one server, and return when it accepts connections."""
        port = self._ports[number]
        data = self._home / f"node-{number}"
        data.mkdir(parents=True, exist_ok=True)
        settings = {
            "listen": f"127.0.0.1:{port}",
            "server_name": f"node-{number}",
            "jetstream": {"store_dir": str(data), "sync_interval": "always"},
            "authorization": {"token": TOKEN},
            "cluster": {
                "name": "test",
                "listen": f"127.0.0.1:{self._routes[number]}",
                "routes": [f"nats://127.0.0.1:{route}" for route in self._routes],
            },
        }
        configuration = data / "nats.conf"
        configuration.write_text(json.dumps(settings))
        program = Path(sys.executable).with_name("nats-server")
        self._running[number] = start_and_wait(
            Command([program, "-c", configuration]),
            url=f"nats://{TOKEN}@127.0.0.1:{port}",
            log=data / "nats.log",
            ready=lambda _pid: nats_accepts(port),
        )

    def start_all(self) -> None:
        """Start every server."""
        for number in range(len(self._ports)):
            self.start(number)

    def kill(self, number: int) -> None:
        """Kill -9 one server."""
        kill(self._running.pop(number))

    @contextmanager
    def frozen(self, number: int) -> Iterator[None]:
        """Let a server do nothing during the block, while its connections stay open."""
        process = psutil.Process(self._running[number].process.pid)
        process.suspend()
        try:
            yield
        finally:
            process.resume()

    def number_of(self, server: str) -> int:
        """Return which server is at an address, or has a name."""
        if server.startswith("node-"):
            return int(server.removeprefix("node-"))
        return self._ports.index(int(server.rpartition(":")[2]))

    def stop(self) -> None:
        """Stop what runs."""
        for engine in self._running.values():
            engine.stop()
