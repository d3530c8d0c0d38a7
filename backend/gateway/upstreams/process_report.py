"""What one process finds of its upstreams' health, told to the others by a row of the database.

Written beside calls and never by one: when something has changed, at most every two seconds, and
else as a sign of life. The row of a process that is killed counts no more after a minute.
"""

from __future__ import annotations

import os
import secrets
import socket
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import structlog
from sqlalchemy import delete, func
from sqlalchemy.dialects.postgresql import insert

from backend.gateway.upstreams.targets import Target, Targets
from backend.kit.periodic import OUTAGES
from backend.storage.database import Database
from backend.storage.tables import gateway_processes

_log = structlog.get_logger(__name__)

SEEN_SECONDS: Final = 60.0
"""For how long what a process told counts."""
_ALIVE_SECONDS: Final = 15.0
"""How often a process says that nothing has changed."""
_FORGOTTEN: Final = timedelta(hours=1)


class ProcessReport:
    """Tells of one process's targets; ``await withdraw()`` when done."""

    def __init__(self, database: Database, targets: Targets) -> None:
        self._database = database
        self._targets = targets
        self.name = f"{socket.gethostname()} {os.getpid()}"
        self._id = f"{self.name}-{secrets.token_hex(8)}"
        self._written: Mapping[str, Any] | None = None
        self._written_at = 0.0

    async def publish(self) -> None:
        """Write how the upstreams fare, if that is news; an outage is left for the next time."""
        now = time.monotonic()
        upstreams = {
            name: {
                "under_way": provider_calls,
                "circuits": [
                    circuit
                    for model, target in targets.items()
                    if (circuit := _circuit(model, target)) is not None
                ],
            }
            for name, provider_calls, targets in self._targets.all()
        }
        if upstreams == self._written and now - self._written_at < _ALIVE_SECONDS:
            return
        values = {"seen_at": func.now(), "upstreams": _in_wall_time(upstreams, now)}
        row = insert(gateway_processes).values(id=self._id, name=self.name, **values)
        old = gateway_processes.c.seen_at < func.now() - _FORGOTTEN
        try:
            async with self._database.begin() as connection:
                await connection.execute(
                    row.on_conflict_do_update(index_elements=["id"], set_=values)
                )
                await connection.execute(delete(gateway_processes).where(old))
        except OUTAGES as error:
            _log.warning("gateway.report_waits", error=repr(error))
            return
        self._written, self._written_at = upstreams, now

    async def withdraw(self) -> None:
        """Remove the row: the process is over."""
        statement = delete(gateway_processes).where(gateway_processes.c.id == self._id)
        try:
            async with self._database.begin() as connection:
                await connection.execute(statement)
        except OUTAGES as error:
            _log.warning("gateway.report_waits", error=repr(error))


def _circuit(model: str, target: Target) -> dict[str, Any] | None:
    """Return what is not well of a target; None if all of it is."""
    keys = [key.circuit.open_until for key in target.keys if key.circuit.open_until is not None]
    until = target.circuit.open_until
    if until is None and not keys:
        return None
    return {"model": model, "open_until": until, "keys_open_until": keys, "keys": len(target.keys)}


def _in_wall_time(upstreams: Mapping[str, Any], now: float) -> dict[str, Any]:
    """Return a report whose times others understand."""
    wall = datetime.now(UTC)

    def at(moment: float | None) -> str | None:
        return None if moment is None else (wall + timedelta(seconds=moment - now)).isoformat()

    return {
        name: {
            "under_way": report["under_way"],
            "circuits": [
                {
                    **circuit,
                    "open_until": at(circuit["open_until"]),
                    "keys_open_until": [at(until) for until in circuit["keys_open_until"]],
                }
                for circuit in report["circuits"]
            ],
        }
        for name, report in upstreams.items()
    }
