"""The NATS server with JetStream, from a wheel."""

from __future__ import annotations

import json
import os
import secrets
import socket
import sys
from pathlib import Path

from backend.engines.processes import Command, RunningEngine, start_and_wait


def start_nats(data: Path, *, port: int) -> RunningEngine:
    """Start a JetStream server on loopback with its files in ``data``; return when it accepts."""
    command = nats_command(data, port=port)
    return start_and_wait(
        command,
        url=nats_url(data, port=port),
        log=data / "nats.log",
        ready=lambda _pid: nats_accepts(port),
    )


def nats_command(data: Path, *, port: int) -> Command:
    """The command that serves JetStream on loopback from ``data``, which is created if missing.

    Clients need the token of :func:`nats_url`: other users of the machine reach loopback too.
    """
    token = _token(data)
    configuration = data / "nats.conf"
    # NATS reads JSON as its own configuration language
    settings = {
        "listen": f"127.0.0.1:{port}",
        "server_name": "farebox",
        # Flushed before it is acknowledged, as PostgreSQL does: a power cut loses nothing either
        "jetstream": {"store_dir": str(data), "sync_interval": "always"},
        "authorization": {"token": token},
    }
    _write_private(configuration, json.dumps(settings, indent=2))
    executable = Path(sys.executable).with_name("nats-server")
    return Command([executable, "-c", configuration])


def nats_url(data: Path, *, port: int) -> str:
    """Return the address for clients, with the token of this home."""
    return f"nats://{_token(data)}@127.0.0.1:{port}"


def nats_accepts(port: int) -> bool:
    """Return whether a server accepts connections on this port of loopback."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=0.2).close()
    except OSError:
        return False
    return True


def _token(data: Path) -> str:
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    file = data / "token"
    if not file.exists():
        _write_private(file, secrets.token_urlsafe(24))
    return file.read_text()


def _write_private(path: Path, text: str) -> None:
    """Replace a file that only this user may read, atomically."""
    draft = path.with_suffix(".new")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    draft.replace(path)
