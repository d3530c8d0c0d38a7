"""Quotas that are used, or nearly: told once a threshold and period."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import select

from backend.outbox.events import event_from
from backend.quotas.worker import QuotasWorker
from backend.storage.database import Database
from backend.storage.tables import notifications
from backend_client.types.catalog import Catalog
from backend_client.types.notifications import (
    NotificationEvent,
    QuotaReachedEvent,
)
from tests.support.invoices import MARCH, count, subscribed, used

pytestmark = pytest.mark.engine

AT = MARCH + timedelta(days=3)


async def told(database: Database) -> list[NotificationEvent]:
    query = select(notifications).order_by(notifications.c.id)
    async with database.begin() as connection:
        return [event_from(row) for row in (await connection.execute(query)).mappings()]


async def test_a_quota_is_told_of_at_both_thresholds_once_a_period(
    database: Database, applied: Catalog
) -> None:
    tenant = await subscribed(database, "free")  # 1000 tokens a month
    worker = QuotasWorker(database)

    async def look(at: datetime, tokens: int) -> list[tuple[int, Decimal]]:
        await count(database, [used(tenant, at, tokens)])
        await worker.look(at)
        await QuotasWorker(database).look(at)  # another one, which knows of no visit
        return [
            (event.data.percent, event.data.used)
            for event in await told(database)
            if isinstance(event, QuotaReachedEvent)
        ]

    assert await look(AT, 799) == []
    assert await look(AT, 1) == [(80, Decimal(800))]
    assert await look(AT, 100) == [(80, Decimal(800))]
    assert await worker.look(AT) == 0
    assert await look(AT, 200) == [(80, Decimal(800)), (100, Decimal(1100))]
    april = datetime(2026, 4, 5, tzinfo=UTC)
    assert (await look(april, 900))[2:] == [(80, Decimal(900))]


LAST_SECOND = datetime(2026, 3, 31, 23, 59, 59, tzinfo=UTC)
MIDNIGHT = LAST_SECOND + timedelta(seconds=1)


async def test_what_is_passed_in_a_periods_last_second_is_told_after_it(
    database: Database, applied: Catalog
) -> None:
    tenant = await subscribed(database, "free")
    worker = QuotasWorker(database)
    await worker.look(LAST_SECOND - timedelta(seconds=30))
    await count(database, [used(tenant, LAST_SECOND, 1000)])
    for _ in range(2):
        await worker.look(MIDNIGHT + timedelta(seconds=30))
        await QuotasWorker(database).look(MIDNIGHT + timedelta(minutes=59))
    [event] = await told(database)
    assert isinstance(event, QuotaReachedEvent)
    assert (event.data.percent, event.data.resets_at) == (100, MIDNIGHT)


async def test_what_was_passed_long_ago_is_told_no_more(
    database: Database, applied: Catalog
) -> None:
    tenant = await subscribed(database, "free")
    await count(database, [used(tenant, LAST_SECOND, 1000)])
    await QuotasWorker(database).look(MIDNIGHT + timedelta(hours=1))
    assert await told(database) == []


async def test_who_has_no_plan_has_no_limits(database: Database, applied: Catalog) -> None:
    tenant = await subscribed(database, "free", since=datetime(2026, 6, 1, tzinfo=UTC))
    await count(database, [used(tenant, AT, 5000)])
    assert await QuotasWorker(database).look(AT) == 1
    assert await told(database) == []
