"""Tenants with invoices and wallets, what is recorded of them, and workers that deliver it."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from backend.ids import new_id
from backend.invoices.letters.writing import CustomerLetters
from backend.outbox.channels.channel import Channel
from backend.outbox.delivering import Delivering
from backend.outbox.notices import Notice
from backend.outbox.queries import find_notification, list_notifications
from backend.outbox.queue import enqueue_notices
from backend.outbox.routing import route
from backend.outbox.worker import configured_channels
from backend.settings import Settings
from backend.storage.database import Database
from backend_client.types.accounts import Tenant
from backend_client.types.catalog import Catalog
from backend_client.types.notifications import (
    CreditAmount,
    Notification,
    NotificationKind,
    WalletTopUpRequested,
)
from tests.outbox.servers import MailServer, Receiver, receiving, taking_mail
from tests.support.invoices import subscribed

SECRETS = [f"whsec_{base64.b64encode(bytes([number]) * 32).decode()}" for number in (1, 2)]
NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)


class Clock:
    """A clock that stands until it is moved on."""

    def __init__(self, now: datetime = NOW) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def pass_by(self, time: timedelta) -> None:
        self.now += time


@pytest.fixture(autouse=True)
def catalog_of_every_test(applied: Catalog) -> None:
    """Publishes the small catalog before each test."""


@pytest.fixture
async def tenant(database: Database, applied: Catalog) -> Tenant:
    """A tenant on the plan "paid" since the first of March."""
    return await subscribed(database)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver


@pytest.fixture
async def mail_server() -> AsyncIterator[MailServer]:
    async with taking_mail() as server:
        yield server


@pytest.fixture
def settings(receiver: Receiver, mail_server: MailServer) -> Settings:
    """Both channels, to servers that are there."""
    return Settings.model_validate(
        {
            "seller_name": "Sample seller",
            "invoice_payment_note": "Sample bank, account 1",
            "webhook_url": receiver.url,
            "webhook_secret": " ".join(SECRETS),
            "smtp_url": f"smtp://127.0.0.1:{mail_server.port}",
            "mail_from": "Sample seller <billing@seller.example>",
        }
    )


OpenChannels = Callable[[Settings], list[Channel]]


@pytest.fixture
async def channels(database: Database, settings: Settings) -> AsyncIterator[list[Channel]]:
    """The webhook and the mail of the settings."""
    opened = configured_channels(settings, CustomerLetters(database, settings))
    yield opened
    for channel in opened:
        await channel.close()


async def recorded(database: Database) -> list[Notification]:
    """Everything that was recorded, oldest first."""
    async with database.begin() as connection:
        page = await list_notifications(connection, cursor=None, limit=200)
    assert page.next_cursor is None
    return page.items[::-1]


async def found(database: Database, notification_id: str) -> Notification:
    async with database.begin() as connection:
        return await find_notification(connection, notification_id)


async def tell_of_top_up(
    database: Database, tenant_id: str, subject: str | None = None, at: datetime = NOW
) -> str:
    """Record something that goes to the operator alone; return its subject."""
    subject = subject or new_id("top")
    data = WalletTopUpRequested(
        top_up_id=subject, amount=CreditAmount(amount=20, currency="USD"), automatic=True
    )
    kind = NotificationKind.WALLET_TOP_UP_REQUESTED
    async with database.begin() as connection:
        await enqueue_notices(connection, [Notice(kind, tenant_id, subject, data, at)])
    return subject


async def queue(database: Database, channels: Sequence[Channel], now: datetime) -> int:
    async with database.begin() as connection:
        return await route(connection, channels, now)


async def deliver(
    database: Database, channels: Sequence[Channel], clock: Callable[[], datetime], **how: Any
) -> int:
    """Queue and try all that is due, once; return how many were tried."""
    await queue(database, channels, clock())
    tried = 0
    for channel in channels:
        delivering = Delivering(database, channel, clock=clock, **how)
        while batch := await delivering.deliver_due(asyncio.Event()):
            tried += batch
    return tried


def holds(question: Callable[[], bool]) -> Callable[[], Awaitable[bool]]:
    """A plain question as ``until`` asks it."""

    async def asked() -> bool:
        return question()

    return asked
