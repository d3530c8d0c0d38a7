"""The worker's side of customers: looks up VAT ids that are new or old."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Final

from backend.customers.tax_ids import look_up_due
from backend.kit.periodic import every
from backend.settings import Settings
from backend.storage.database import Database

EVERY_SECONDS: Final = 300.0


class TaxIdsWorker:
    """Looks up ids that are new or old. Two at once may ask the same; the last answer stays."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        self._settings = settings

    async def run(self, stop: asyncio.Event) -> None:
        """Look them up until ``stop`` is set; an outage is waited for."""

        async def look_up() -> None:
            await look_up_due(self._database, self._settings, datetime.now(UTC), stop)

        await every(EVERY_SECONDS, look_up, stop, name="tax_ids")
