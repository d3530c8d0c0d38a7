"""Daily usage as read from rollups, in the tenant's days."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from backend.forecasting.queries import recent_mixes, spent_days, usage_history
from backend.spend.gathering import open_period
from backend.storage.database import Database
from backend.subscriptions.changes import start_subscription
from backend_client.types.catalog import Catalog
from tests.support.billing import add_usage, make_tenant

pytestmark = pytest.mark.engine


async def test_days_are_the_tenants_and_today_is_apart(database: Database) -> None:
    tenant = await make_tenant(database, time_zone="Asia/Kolkata")
    await add_usage(
        database,
        tenant,
        ("2026-03-07T18:15:00+00:00", "large", "output_tokens", "1"),  # 7 March, 23:45
        ("2026-03-07T18:30:00+00:00", "large", "output_tokens", "2"),  # 8 March, 0:00
        ("2026-03-08T12:00:00+00:00", "large", "output_tokens", "6"),  # 8 March, 17:30
        ("2026-03-10T05:00:00+00:00", "large", "output_tokens", "40"),  # today, 10:30
        ("2026-03-10T05:00:00+00:00", "small", "audio_seconds", "0.5"),
    )
    now = datetime(2026, 3, 10, 11, 40, tzinfo=UTC)  # 17:10
    async with database.begin() as connection:
        history = await usage_history(connection, tenant, now)
    assert (history.today, history.first, history.days) == (date(2026, 3, 10), date(2026, 3, 7), 3)
    assert history.elapsed == pytest.approx((17 + 1 / 6) / 24)
    large, small = history.series
    assert (large.model, large.days, large.today, large.whole) == (
        "large",
        (1.0, 8.0, 0.0),
        40.0,
        True,
    )
    # After 17:00 came 1 and 6 of 9
    assert large.remaining == pytest.approx(7 / 9)
    assert (small.meter, small.days, small.today, small.whole) == (
        "audio_seconds",
        (0.0,) * 3,
        0.5,
        False,
    )
    assert small.remaining == pytest.approx(1 - history.elapsed)


async def test_a_tenant_without_usage_has_an_empty_history(database: Database) -> None:
    tenant = await make_tenant(database)
    async with database.begin() as connection:
        history = await usage_history(connection, tenant, datetime(2026, 3, 10, tzinfo=UTC))
    assert (history.days, history.series) == (0, ())


async def test_spend_up_to_each_day_is_the_report_of_that_day(
    database: Database, applied: Catalog
) -> None:
    tenant = await make_tenant(database, time_zone="Europe/Berlin")
    start = datetime(2026, 2, 20, tzinfo=UTC)
    usage = [
        ((start + timedelta(hours=7 * n)).isoformat(), "large", "output_tokens", str(30_000 + n))
        for n in range(60)
    ]
    await add_usage(database, tenant, *usage)
    now = datetime(2026, 3, 9, 12, tzinfo=UTC)
    async with database.begin() as connection:
        await start_subscription(connection, tenant.id, "paid", start)
        opened = await open_period(connection, tenant, now)
        days = await spent_days(
            connection, tenant.id, opened.period, opened.stretches, date(2026, 3, 9)
        )
        mixes = await recent_mixes(connection, tenant.id, opened.stretches, now)
    assert [day.isoformat() for day, _ in days[:2]] == [
        "2026-02-28T23:00:00+00:00",
        "2026-03-01T23:00:00+00:00",
    ]
    assert len(days) == 8
    midnight = datetime(2026, 3, 8, 23, tzinfo=UTC)
    used = sum(
        Decimal(quantity)
        for moment, _, _, quantity in usage
        if opened.period.start <= datetime.fromisoformat(moment) < midnight
    )
    assert sum(use.quantity for use in days[-1][1][0]) == used
    assert opened.rate_with(days[-1][1]).total <= opened.rate().total
    (mix,) = mixes
    assert [(share.window, share.quantity) for share in mix["large", "output_tokens"]] == [
        (None, 1)
    ]
