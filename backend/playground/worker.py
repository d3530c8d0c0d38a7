"""Remove conversations that were kept for long enough."""

from __future__ import annotations

import asyncio
from typing import Final

from backend.kit.periodic import every
from backend.playground.conversations import remove_old
from backend.storage.database import Database

EVERY_SECONDS: Final = 3600.0


class PlaygroundWorker:
    """Removes conversations that nobody went on with for ``days``; 0 keeps none."""

    def __init__(self, database: Database, days: int) -> None:
        self._database = database
        self._days = days

    async def run(self, stop: asyncio.Event) -> None:
        """Work until ``stop`` is set."""
        await every(EVERY_SECONDS, self.remove_old, stop, name="playground")

    async def remove_old(self) -> None:
        """Remove what is too old now. Any number of workers may do so at once."""
        async with self._database.begin() as connection:
            await remove_old(connection, kept_days=self._days)
