"""Live spend: rollups to lines, in the tenant's own month, over changes of plan."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import update

from backend.catalog.published import apply_catalog
from backend.pricing.rating.rated_period import MeteredQuantity
from backend.spend.gathering import open_period
from backend.spend.open_period import OpenPeriod
from backend.spend.queries import spend_report, spend_version
from backend.storage.database import Database
from backend.storage.tables import usage_versions
from backend.subscriptions.changes import change_plan, start_subscription
from backend_client.types.accounts import Tenant
from backend_client.types.catalog import Catalog
from backend_client.types.spend import SpendReport
from backend_client.types.subscriptions import SubscriptionChange
from tests.support.billing import NOW, add_usage, catalog_with, make_tenant

pytestmark = pytest.mark.engine

MARCH = datetime(2026, 3, 1, tzinfo=UTC)


async def subscribe(database: Database, tenant: Tenant, plan: str, at: datetime = MARCH) -> None:
    async with database.begin() as connection:
        await start_subscription(connection, tenant.id, plan, at)


async def spend(database: Database, tenant: Tenant, now: datetime = NOW) -> SpendReport:
    async with database.begin() as connection:
        return await spend_report(connection, tenant, now)


async def test_spend_is_rated_from_rollups_by_line(
    database: Database, tenant: Tenant, applied: Catalog
) -> None:
    await subscribe(database, tenant, "paid")
    await add_usage(
        database,
        tenant,
        ("2026-03-01T00:00Z", "large", "input_tokens", "1000000"),
        ("2026-03-09T23:45Z", "small", "input_tokens", "234567"),
        ("2026-03-10T12:00Z", "large", "output_tokens", "1600000"),
        ("2026-03-10T12:00Z", "small", "output_tokens", "77"),
        ("2026-02-28T23:45Z", "large", "input_tokens", "999"),  # last month
        version=7,
    )
    report = await spend(database, tenant)
    assert [(line.charge_id, str(line.amount.amount)) for line in report.lines] == [
        ("fee", "31.00"),
        ("input", "0.19"),  # 1.234567 * 0.15 = 0.18518505
        ("output", "12.50"),  # after 0.1 included: 1.0 * 10 + 0.5 * 5
    ]
    assert (str(report.total.amount), report.total.currency) == ("43.69", "USD")
    assert report.exact_total == Decimal("43.68518505")
    assert [(use.model, use.meter, use.quantity) for use in report.unpriced] == [
        ("small", "output_tokens", 77)
    ]
    assert (report.version, report.as_of) == (7, NOW)
    assert (report.period.start, report.period.end) == (MARCH, datetime(2026, 4, 1, tzinfo=UTC))
    output = report.lines[2]
    assert [(tier.quantity, tier.amount) for tier in output.tiers] == [
        (1_000_000, Decimal(10)),
        (500_000, Decimal("2.5")),
    ]
    assert (output.included, output.price, output.models) == (100_000, None, ["large"])


async def test_each_plans_time_is_rated_by_it(
    database: Database, tenant: Tenant, applied: Catalog
) -> None:
    await subscribe(database, tenant, "free")
    async with database.begin() as connection:
        change = SubscriptionChange(plan="paid")
        await change_plan(connection, tenant.id, change, datetime(2026, 3, 10, 23, 50, tzinfo=UTC))
    await add_usage(
        database,
        tenant,
        ("2026-03-10T23:45Z", "large", "input_tokens", "1000000"),
        ("2026-03-11T00:00Z", "large", "input_tokens", "2000000"),
    )
    report = await spend(database, tenant, NOW + timedelta(days=1))
    assert [(line.plan, line.charge_id, str(line.amount.amount)) for line in report.lines] == [
        ("paid", "fee", "21.00"),  # 21 of 31 days
        ("paid", "input", "0.30"),
    ]
    assert [(use.meter, use.quantity) for use in report.unpriced] == [("input_tokens", 1_000_000)]


async def test_a_month_is_the_tenants_own(database: Database, applied: Catalog) -> None:
    tenant = await make_tenant(database, time_zone="Asia/Kathmandu")  # UTC+05:45
    await subscribe(database, tenant, "paid", MARCH - timedelta(days=9))
    await add_usage(
        database,
        tenant,
        ("2026-02-28T18:00Z", "large", "input_tokens", "50000000"),
        ("2026-02-28T18:15Z", "large", "input_tokens", "1000000"),
        ("2026-03-31T18:00Z", "large", "input_tokens", "1000000"),
        ("2026-03-31T18:15Z", "large", "input_tokens", "50000000"),
    )
    report = await spend(database, tenant)
    assert [str(line.amount.amount) for line in report.lines] == ["31.00", "0.30"]
    assert report.period.time_zone == "Asia/Kathmandu"


async def test_another_tenants_usage_is_not_in_it(
    database: Database, tenant: Tenant, applied: Catalog
) -> None:
    other = await make_tenant(database)
    await subscribe(database, tenant, "paid")
    await add_usage(database, other, ("2026-03-02T00:00Z", "large", "input_tokens", "1000000"))
    report = await spend(database, tenant)
    assert [line.charge_id for line in report.lines] == ["fee"]


async def test_without_a_subscription_usage_is_unpriced(
    database: Database, tenant: Tenant, applied: Catalog
) -> None:
    await add_usage(database, tenant, ("2026-03-02T00:00Z", "large", "input_tokens", "5"))
    report = await spend(database, tenant)
    assert (report.lines, str(report.total.amount)) == ([], "0.00")
    assert report.unpriced[0].quantity == 5


async def test_what_may_still_come_is_rated_after_what_was_used(
    database: Database, tenant: Tenant, applied: Catalog
) -> None:
    """A forecast's simulated tokens go on in the tier that real usage reached."""
    await subscribe(database, tenant, "paid")
    await add_usage(database, tenant, ("2026-03-02T00:00Z", "large", "output_tokens", "1100000"))
    async with database.begin() as connection:
        opened: OpenPeriod = await open_period(connection, tenant, NOW)
    more = [MeteredQuantity("large", "output_tokens", Decimal(1_000_000))]
    assert [str(opened.rate(used).total) for used in ([], more)] == ["41.00", "46.00"]
    assert str(opened.rate_with([more]).total) == "40.00"


async def test_the_version_changes_with_usage_plan_and_period_alone(
    database: Database, tenant: Tenant, applied: Catalog
) -> None:
    async def version(now: datetime = NOW) -> str:
        async with database.begin() as connection:
            return await spend_version(connection, tenant, now)

    seen = [await version()]
    await subscribe(database, tenant, "free")
    seen.append(await version())
    await add_usage(database, tenant, ("2026-03-02T00:00Z", "large", "input_tokens", "5"))
    seen.append(await version())
    async with database.begin() as connection:
        await connection.execute(update(usage_versions).values(version=2))
    seen.append(await version())
    async with database.begin() as connection:
        await change_plan(connection, tenant.id, SubscriptionChange(plan="paid"), NOW)
    seen.append(await version())
    seen.append(await version(NOW + timedelta(days=30)))
    assert len(set(seen)) == len(seen)
    assert await version(NOW + timedelta(hours=5)) == seen[-2]


async def test_nights_have_their_own_price_on_days_that_clocks_change(
    database: Database, applied: Catalog
) -> None:
    """October 25th 2026 in Berlin has two hours from 02:00; both are night."""
    tenant = await make_tenant(database, time_zone="Europe/Berlin")
    price = {"kind": "per_unit", "meters": ["input_tokens"], "price": "4"}
    night = {"id": "night", "name": "Night", "time_zone": "Europe/Berlin"}
    nightly = {
        "id": "nightly",
        "name": "Nightly",
        "windows": [night | {"start": "22:00", "end": "06:00"}],
        "charges": [
            price | {"id": "day", "name": "Day"},
            price | {"id": "night", "name": "Night", "window": "night", "price": "1"},
        ],
    }
    async with database.begin() as connection:
        plans = [*applied.model_dump(mode="json")["plans"], nightly]
        await apply_catalog(connection, catalog_with(plans=plans))
    await subscribe(database, tenant, "nightly", datetime(2026, 10, 1, tzinfo=UTC))
    await add_usage(
        database,
        tenant,
        ("2026-10-24T19:45Z", "large", "input_tokens", "1000000"),  # 21:45, day
        ("2026-10-24T20:00Z", "large", "input_tokens", "2000000"),  # 22:00, night
        ("2026-10-25T00:30Z", "large", "input_tokens", "3000000"),  # 02:30 the first time
        ("2026-10-25T01:30Z", "small", "input_tokens", "4000000"),  # 02:30 the second time
        ("2026-10-25T04:45Z", "large", "input_tokens", "5000000"),  # 05:45, night
        ("2026-10-25T05:00Z", "large", "input_tokens", "6000000"),  # 06:00, day
    )
    report = await spend(database, tenant, datetime(2026, 10, 26, tzinfo=UTC))
    assert [(line.window, line.quantity, str(line.amount.amount)) for line in report.lines] == [
        (None, 7_000_000, "28.00"),
        ("night", 14_000_000, "14.00"),
    ]
