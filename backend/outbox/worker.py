"""The worker's side of notifications: queues what is new, delivers, clears up."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from backend.kit.addresses import mail_sender, smtp_server, webhook_secrets
from backend.kit.periodic import every
from backend.outbox.channels.channel import Channel, Letters
from backend.outbox.channels.mail import Mail
from backend.outbox.channels.webhook import Webhook
from backend.outbox.claims import LEASE
from backend.outbox.delivering import EVERY_SECONDS, Delivering
from backend.outbox.routing import BATCH, clear_up, give_up_unserved, route
from backend.settings import Settings
from backend.storage.database import Database

_CLEAR_UP_EVERY = timedelta(hours=1)


def configured_channels(settings: Settings, letters: Letters) -> list[Channel]:
    """Open the channels that the settings have an address for."""
    channels: list[Channel] = []
    if settings.webhook_url is not None and settings.webhook_secret is not None:
        secrets = webhook_secrets(settings.webhook_secret.get_secret_value())
        channels.append(Webhook(settings.webhook_url, secrets))
    if settings.smtp_url is not None and settings.mail_from is not None:
        server = smtp_server(settings.smtp_url.get_secret_value())
        channels.append(Mail(server, mail_sender(settings.mail_from), letters))
    return channels


class OutboxWorker:
    """Delivers what was recorded. Any number may run at once, all with the same settings."""

    def __init__(
        self,
        database: Database,
        settings: Settings,
        letters: Letters,
        *,
        lease: timedelta = LEASE,
    ) -> None:
        self._database = database
        self._keep = timedelta(days=settings.notification_days)
        self._channels = configured_channels(settings, letters)
        self._lease = lease
        self._cleared_at = datetime.min.replace(tzinfo=UTC)

    async def run(self, stop: asyncio.Event) -> None:
        """Work until ``stop`` is set; survive the loss of PostgreSQL."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._route_all(stop))
                for channel in self._channels:
                    delivering = Delivering(self._database, channel, lease=self._lease)
                    group.create_task(delivering.run(stop))
        finally:
            for channel in self._channels:
                await channel.close()

    async def _route_all(self, stop: asyncio.Event) -> None:
        async def act() -> bool:
            return await self.keep_queues(datetime.now(UTC)) == BATCH

        await every(EVERY_SECONDS, act, stop, name="notifications")

    async def keep_queues(self, now: datetime) -> int:
        """Queue what is new; each hour, clear up. Returns how many were new."""
        channels: Sequence[Channel] = self._channels
        async with self._database.begin() as connection:
            routed = await route(connection, channels, now)
        if now - self._cleared_at >= _CLEAR_UP_EVERY:
            async with self._database.begin() as connection:
                await give_up_unserved(connection, channels, now)
            more = True
            while more:
                async with self._database.begin() as connection:
                    more = await clear_up(connection, self._keep, now) == BATCH
            self._cleared_at = now
        return routed
