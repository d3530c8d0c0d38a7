"""Detect a NATS server that still refuses writes after its disk has room again.

A JetStream store that met a full disk keeps failing, "no space left on device", until the server
is started again (seen with NATS 2.15). Nothing that it acknowledged is lost by that.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from backend.kit.nats_servers import nats_servers

ROOM_BYTES = 32 * 1024 * 1024
"""Free bytes with which a write must succeed: two of JetStream's blocks, and PostgreSQL's log."""
_REFUSALS = 3
"""In a row, before a restart: an acknowledgement may be late on a busy machine."""


class StuckNats:
    """Watches one server, every few seconds."""

    def __init__(self, url: str, data: Path, stream_name: str) -> None:
        self._servers = nats_servers(url)
        self._data = data
        self._stream_name = stream_name
        self._refusals = 0

    async def reason(self) -> str | None:
        """Return why the server has to be started again; None if it need not be."""
        # Here, since each command reads where Farebox runs: NATS' client takes long to import
        from backend.metering.ingest.stream import refuses_writes

        if shutil.disk_usage(self._data).free < ROOM_BYTES:
            self._refusals = 0
        elif await refuses_writes(self._servers, self._stream_name):
            self._refusals += 1
        else:
            self._refusals = 0
        if self._refusals < _REFUSALS:
            return None
        self._refusals = 0
        return "takes no writes though its disk has room"
