"""The worker's side of platforms: sends, applies what came, collects usage, polls, compares."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Final

from backend.kit.periodic import every
from backend.outbox.claims import LEASE
from backend.platforms.comparing.verifying import verify_all
from backend.platforms.configured import open_adapters
from backend.platforms.queueing.plan_changes import follow_plans
from backend.platforms.queueing.usage import collect_usage
from backend.platforms.receiving.applying import Applying
from backend.platforms.receiving.inbox import clear_up
from backend.platforms.receiving.polling import poll_due
from backend.platforms.sending.dispatches import clear_up_usage
from backend.platforms.sending.sending import Sending
from backend.settings import Settings
from backend.storage.database import Database

EVERY_SECONDS: Final = 2.0
"""Between two looks for what is due."""
_COLLECT_EVERY: Final = timedelta(minutes=1)
_COMPARE_EVERY: Final = timedelta(days=1)


class PlatformsWorker:
    """Does what is due. Any number may run at once, all with the same settings."""

    def __init__(
        self,
        database: Database,
        settings: Settings,
        *,
        lease: timedelta = LEASE,
        every_seconds: float = EVERY_SECONDS,
    ) -> None:
        self._database = database
        self._settings = settings
        self._every_seconds = every_seconds
        self._adapters = open_adapters(database, settings)
        self._sending = Sending(database, self._adapters, lease=lease)
        self._applying = Applying(database, settings, self._adapters)
        self._keep = timedelta(days=settings.notification_days)
        self._collected_at = datetime.min.replace(tzinfo=UTC)

    async def run(self, stop: asyncio.Event) -> None:
        """Work until ``stop`` is set; survive the loss of PostgreSQL."""

        async def send() -> bool:
            return await self._sending.send_due(stop) > 0

        async def apply() -> bool:
            return await self._applying.apply_due(stop) > 0

        async def compare() -> None:
            await self._collect_and_compare(datetime.now(UTC), stop)

        try:
            async with asyncio.TaskGroup() as group:
                for act in (send, apply, compare):
                    group.create_task(every(self._every_seconds, act, stop, name="platforms"))
        finally:
            for adapter in self._adapters.values():
                await adapter.close()

    async def _collect_and_compare(self, now: datetime, stop: asyncio.Event) -> None:
        if now - self._collected_at >= _COLLECT_EVERY:
            await follow_plans(self._database, self._adapters, now)
            await collect_usage(self._database, list(self._adapters), now)
            self._collected_at = now
            async with self._database.begin() as connection:
                await clear_up(connection, now - self._keep)
                await clear_up_usage(connection, now)
        await poll_due(self._database, self._settings, self._adapters, now, stop)
        await verify_all(self._database, self._adapters, now, _COMPARE_EVERY, stop)
