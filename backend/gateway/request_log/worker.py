"""Remove what was logged of calls for long enough."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import Table, delete, select
from sqlalchemy.sql import ColumnElement

from backend.kit.periodic import every
from backend.storage.database import Database
from backend.storage.tables import gateway_requests, request_bodies

EVERY_SECONDS: Final = 600.0
MOST_ROWS: Final = 10_000
"""Removed in one transaction."""


class RequestsWorker:
    """Removes calls that are older than ``days``, 0 for all, and bodies that have expired."""

    def __init__(self, database: Database, days: int) -> None:
        self._database = database
        self._days = days

    async def run(self, stop: asyncio.Event) -> None:
        """Work until ``stop`` is set."""
        await every(EVERY_SECONDS, self.remove_old, stop, name="requests")

    async def remove_old(self, now: datetime | None = None) -> bool:
        """Remove a part of what is too old; return whether there may be more.

        Any number of workers may do so at once.
        """
        now = now or datetime.now(UTC)
        oldest = now - timedelta(days=self._days)
        bodies = await self._remove(request_bodies, request_bodies.c.expires_at <= now)
        old_bodies = await self._remove(request_bodies, request_bodies.c.time <= oldest)
        requests = await self._remove(gateway_requests, gateway_requests.c.time <= oldest)
        return MOST_ROWS in (bodies, old_bodies, requests)

    async def _remove(self, table: Table, old: ColumnElement[bool]) -> int:
        keys = list(table.primary_key)
        rows = (
            select(*keys).where(old).limit(MOST_ROWS).with_for_update(skip_locked=True).subquery()
        )
        where = [key == rows.c[key.name] for key in keys]
        async with self._database.begin() as connection:
            removed = await connection.execute(delete(table).where(*where))
        return removed.rowcount
