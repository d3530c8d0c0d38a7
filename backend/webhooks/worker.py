"""The worker's part in customers' webhooks: queues what is new, and delivers."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from backend.kit.periodic import every
from backend.kit.sealing import Sealer
from backend.settings import Settings
from backend.storage.database import Database
from backend.webhooks.claims import LEASE
from backend.webhooks.delivering import EVERY_SECONDS, WebhookDelivering
from backend.webhooks.routing import BATCH, fan_out


class WebhooksWorker:
    """Delivers to customers' endpoints. Any number may run at once."""

    def __init__(self, database: Database, settings: Settings, *, lease: timedelta = LEASE) -> None:
        self._database = database
        self._delivering = WebhookDelivering(
            database,
            Sealer(settings.sealing_key),
            settings.webhook_networks,
            timedelta(days=settings.webhook_disable_days),
            lease=lease,
        )

    async def run(self, stop: asyncio.Event) -> None:
        """Work until ``stop`` is set; survive the loss of PostgreSQL."""

        async def act() -> bool:
            async with self._database.begin() as connection:
                return await fan_out(connection, datetime.now(UTC)) == BATCH

        async with asyncio.TaskGroup() as group:
            group.create_task(every(EVERY_SECONDS, act, stop, name="webhooks"))
            group.create_task(self._delivering.run(stop))
