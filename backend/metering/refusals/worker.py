"""Remove refused events that were listed for long enough."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import delete

from backend.kit.periodic import every
from backend.storage.database import Database
from backend.storage.tables import refused_events

EVERY_SECONDS: Final = 3600.0


class RefusalsWorker:
    """Removes the days of refused events that are older than ``days``; 0 keeps none."""

    def __init__(self, database: Database, days: int) -> None:
        self._database = database
        self._days = days

    async def run(self, stop: asyncio.Event) -> None:
        """Work until ``stop`` is set."""
        await every(EVERY_SECONDS, self.remove_old, stop, name="refusals")

    async def remove_old(self) -> None:
        """Remove what is too old now. Any number of workers may do so at once."""
        first = datetime.now(UTC).date() - timedelta(days=self._days - 1)
        async with self._database.begin() as connection:
            await connection.execute(delete(refused_events).where(refused_events.c.day < first))
