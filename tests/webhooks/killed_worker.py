"""A worker's webhooks alone, until it is killed: ``killed_worker LEASE_SECONDS``."""

from __future__ import annotations

import asyncio
import sys
from datetime import timedelta

from backend.settings import Settings
from backend.storage.database import Database
from backend.webhooks.worker import WebhooksWorker


async def work(lease: timedelta) -> None:
    settings = Settings()
    assert settings.database_url is not None
    database = Database(settings.database_url, pool_size=4)
    await WebhooksWorker(database, settings, lease=lease).run(asyncio.Event())


if __name__ == "__main__":
    asyncio.run(work(timedelta(seconds=float(sys.argv[1]))))
