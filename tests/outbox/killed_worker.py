"""A worker's notifications alone, until it is killed: ``killed_worker LEASE_SECONDS``.

It finds its addresses in the environment, as a worker does.
"""

from __future__ import annotations

import asyncio
import sys
from datetime import timedelta

from backend.invoices.letters.writing import CustomerLetters
from backend.outbox.worker import OutboxWorker
from backend.settings import Settings
from backend.storage.database import Database


async def work(lease: timedelta) -> None:
    settings = Settings()
    assert settings.database_url is not None
    database = Database(settings.database_url, pool_size=4)
    letters = CustomerLetters(database, settings)
    await OutboxWorker(database, settings, letters, lease=lease).run(asyncio.Event())


if __name__ == "__main__":
    asyncio.run(work(timedelta(seconds=float(sys.argv[1]))))
