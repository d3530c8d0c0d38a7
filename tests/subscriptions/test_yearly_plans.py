"""Plans with yearly fees in the life of a tenant: where the years begin, and what is asked when."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import select

from backend.accounts.principal import COMMAND_LINE
from backend.catalog.published import apply_catalog
from backend.spend.gathering import metered_period
from backend.spend.plan_moves import diff_versions, migrate_plan
from backend.spend.queries import spend_report, spend_version
from backend.storage.database import Database
from backend.storage.tables import credit_grants
from backend.subscriptions.changes import (
    cancel,
    change_plan,
    pause,
    resume,
    start_subscription,
)
from backend.subscriptions.errors import NoYearlyFee
from backend.subscriptions.periods import period_at, set_anchor
from backend.subscriptions.queries import current_subscription
from backend.subscriptions.stretches import plan_stretches
from backend.wallets.queries import wallet_balance
from backend.wallets.top_ups import refresh_and_check
from backend_client.types.accounts import Tenant
from backend_client.types.plan_versions import MigrationRequest
from backend_client.types.subscriptions import (
    Subscription,
    SubscriptionCancel,
    SubscriptionChange,
    SubscriptionPause,
)
from tests.support.billing import catalog_with, make_tenant

pytestmark = pytest.mark.engine

BEGUN = datetime(2026, 3, 11, tzinfo=UTC)
DAY = timedelta(days=1)
QUARTER = timedelta(minutes=15)
FEE = {"id": "fee", "name": "Fee", "kind": "flat", "cadence": "year", "price": "365"}
SEATS = FEE | {"id": "seats", "name": "Seats", "per": "seat", "included": 1, "price": "73"}
CREDIT = {"id": "credit", "name": "Credit", "amount": "10"}
YEARLY = {"id": "yearly", "name": "Yearly", "charges": [FEE, SEATS], "grants": [CREDIT]}
PLANS = [
    {"id": "free", "name": "Free"},
    YEARLY,
    {"id": "try", "name": "Try", "charges": [FEE], "trial_days": 10},
    {"id": "monthly", "name": "Monthly", "charges": [FEE | {"cadence": "month", "price": "31"}]},
]


async def publish(database: Database, *plans: dict[str, object]) -> None:
    async with database.begin() as connection:
        await apply_catalog(connection, catalog_with(plans=list(plans)))


@pytest.fixture(autouse=True)
async def applied(database: Database) -> None:
    await publish(database, *PLANS)


async def start(
    database: Database, tenant: Tenant, plan: str = "yearly", at: datetime = BEGUN
) -> Subscription:
    async with database.begin() as connection:
        return await start_subscription(connection, tenant.id, plan, at)


async def change(database: Database, tenant: Tenant, now: datetime, **wanted) -> Subscription:
    async with database.begin() as connection:
        asked = SubscriptionChange(**{"plan": "yearly", "at": now} | wanted)
        return await change_plan(connection, tenant.id, asked, now)


async def end(database: Database, tenant: Tenant, now: datetime, when: str) -> Subscription:
    async with database.begin() as connection:
        return await cancel(connection, tenant.id, SubscriptionCancel(when=when), now)


async def totals(database: Database, tenant: Tenant, year: int, months: Sequence[int]) -> list[str]:
    """The bills of the periods that hold the fifth of these months."""
    amounts = []
    async with database.begin() as connection:
        for month in months:
            moment = datetime(year + (month - 1) // 12, (month - 1) % 12 + 1, 5, tzinfo=UTC)
            period = await period_at(connection, tenant, moment)
            amounts.append(str((await metered_period(connection, tenant, period)).rate().total))
    return amounts


async def test_a_year_is_asked_for_when_it_begins(database: Database, tenant: Tenant) -> None:
    subscription = await start(database, tenant)
    assert subscription.renews_at == BEGUN.replace(year=2027)
    assert await totals(database, tenant, 2026, range(2, 16)) == [
        *("0.00", "365.00"),
        *["0.00"] * 11,
        "365.00",
    ]
    async with database.begin() as connection:
        report = await spend_report(connection, tenant, BEGUN)
    (line,) = report.lines
    assert (line.cadence, line.quantity, line.price) == ("year", 1, 365)
    assert (line.start, line.end) == (BEGUN, BEGUN.replace(year=2027))


async def test_seats_versions_and_pauses_leave_the_years_as_they_are(
    database: Database, tenant: Tenant
) -> None:
    await start(database, tenant)
    assert (await change(database, tenant, BEGUN + 65 * DAY, seats=3)).renews_at == (
        BEGUN.replace(year=2027)
    )
    dearer = YEARLY | {"charges": [FEE | {"price": "730"}, SEATS]}
    await publish(database, *PLANS[:1], dearer, *PLANS[2:])
    await change(database, tenant, BEGUN + 165 * DAY)
    paused, resumed = BEGUN + 265 * DAY, BEGUN + 315 * DAY
    async with database.begin() as connection:
        subscription = await pause(connection, tenant.id, SubscriptionPause(at=paused), paused)
        assert subscription.renews_at is None
    async with database.begin() as connection:
        subscription = await resume(connection, tenant.id, resumed)
        assert subscription.renews_at == BEGUN.replace(year=2027)
    assert await totals(database, tenant, 2026, range(3, 16)) == [
        "365.00",
        "0.00",
        "120.00",  # 300 days of two seats
        "0.00",
        "0.00",
        "200.00",  # 200 days at 2 for those at 1; the seats cost the same
        "0.00",
        "0.00",
        "0.00",
        "-240.00",  # 100 days at 2.40
        "120.00",  # and 50 of them again
        "0.00",
        "876.00",
    ]


async def test_a_trial_comes_before_the_first_year(database: Database, tenant: Tenant) -> None:
    subscription = await start(database, tenant, "try")
    year = BEGUN + 10 * DAY
    assert (subscription.state, subscription.renews_at) == ("trial", year)
    async with database.begin() as connection:
        (line,) = (await spend_report(connection, tenant, BEGUN)).lines
        during = await current_subscription(connection, tenant.id, year)
    assert (line.start, line.end, str(line.amount.amount)) == (
        year,
        year.replace(year=2027),
        "365.00",
    )
    assert during.renews_at == year.replace(year=2027)


async def test_who_leaves_and_comes_back_begins_anew(database: Database, tenant: Tenant) -> None:
    await start(database, tenant)
    await change(database, tenant, BEGUN + 65 * DAY, plan="monthly")
    back = BEGUN + 75 * DAY
    subscription = await change(database, tenant, back)
    assert subscription.renews_at == back.replace(year=2027)
    # In May 300 days are given back, and a year is asked for; ten days at the month's price
    (may,) = await totals(database, tenant, 2026, [5])
    assert may == "75.00"
    # So does who has no plan for a while
    await end(database, tenant, BEGUN + 85 * DAY, "now")
    again = await change(database, tenant, BEGUN + 95 * DAY)
    assert again.renews_at == (BEGUN + 95 * DAY).replace(year=2027)


async def test_canceled_the_rest_is_given_back_where_it_ends(
    database: Database, tenant: Tenant
) -> None:
    await start(database, tenant)
    subscription = await end(database, tenant, BEGUN + DAY, "period_end")
    assert (subscription.end, subscription.renews_at) == (datetime(2026, 4, 1, tzinfo=UTC), None)
    assert await totals(database, tenant, 2026, (3, 4, 5)) == ["365.00", "-344.00", "0.00"]
    async with database.begin() as connection:
        april = await spend_report(connection, tenant, datetime(2026, 4, 5, tzinfo=UTC))
    assert [(line.name, line.quantity < 0) for line in april.lines] == [("Fee", True)]


async def test_canceled_with_its_year_nothing_is_given_back(
    database: Database, tenant: Tenant
) -> None:
    await start(database, tenant)
    subscription = await end(database, tenant, BEGUN + 40 * DAY, "year_end")
    assert (subscription.end, subscription.renews_at) == (BEGUN.replace(year=2027), None)
    assert await totals(database, tenant, 2026, range(3, 17)) == ["365.00", *["0.00"] * 13]
    with pytest.raises(NoYearlyFee, match="no yearly fee that would be asked for again"):
        await end(database, tenant, BEGUN + 41 * DAY, "year_end")
    # Taken back, it goes on with its years
    kept = await change(database, tenant, BEGUN + 42 * DAY)
    assert (kept.end, kept.renews_at) == (None, BEGUN.replace(year=2027))


async def test_without_a_yearly_fee_no_year_ends(database: Database, tenant: Tenant) -> None:
    subscription = await start(database, tenant, "monthly")
    assert subscription.renews_at is None
    with pytest.raises(NoYearlyFee, match="no yearly fee"):
        await end(database, tenant, BEGUN + DAY, "year_end")


async def test_what_is_done_later_changes_no_period_before(
    database: Database, tenant: Tenant
) -> None:
    await start(database, tenant)
    march = (2026, (3,))
    before = await totals(database, tenant, *march)
    async with database.begin() as connection:
        seen = await spend_version(connection, tenant, BEGUN)
    await change(database, tenant, datetime(2026, 4, 1, tzinfo=UTC), seats=9)
    await end(database, tenant, datetime(2026, 4, 2, tzinfo=UTC), "now")
    assert await totals(database, tenant, *march) == before
    async with database.begin() as connection:
        assert await spend_version(connection, tenant, BEGUN) == seen


async def test_a_version_by_the_year_is_seen_before_tenants_are_moved_to_it(
    database: Database, tenant: Tenant
) -> None:
    await start(database, tenant, "monthly")
    by_year = {"id": "monthly", "name": "Monthly", "charges": [FEE]}
    await publish(database, *PLANS[:-1], by_year)
    async with database.begin() as connection:
        changes = (await diff_versions(connection, "monthly", 1, 2)).changes
    assert [(difference.path, difference.before, difference.after) for difference in changes] == [
        ("charges.fee.price", "31", "365"),
        ("charges.fee.cadence", "month", "year"),
    ]
    now = datetime(2026, 5, 10, tzinfo=UTC)
    asked = MigrationRequest(at=now, preview=True)
    page = await migrate_plan(
        database, "monthly", asked, now, caller=COMMAND_LINE, cursor=None, limit=10
    )
    (seen,) = page.items
    assert seen.present.amount == 31
    assert str(seen.migrated and seen.migrated.amount) == "314.00"  # of the year from 11 March on
    await migrate_plan(
        database,
        "monthly",
        MigrationRequest(at=now, preview=False),
        now,
        caller=COMMAND_LINE,
        cursor=None,
        limit=10,
    )
    # 305 days from 10 May on, and nine of the month's fee
    assert await totals(database, tenant, 2026, (5, 6)) == ["314.00", "0.00"]
    async with database.begin() as connection:
        moved = await current_subscription(connection, tenant.id, now)
    assert moved.renews_at == BEGUN.replace(year=2027)


async def test_in_a_zone_whose_clocks_change(database: Database) -> None:
    tenant = await make_tenant(database, time_zone="Europe/Berlin")
    # Half past two in the night, which the 28th of March 2027 does not have
    subscription = await start(database, tenant, at=datetime(2026, 3, 28, 1, 30, tzinfo=UTC))
    assert subscription.renews_at == datetime(2027, 3, 28, 1, 30, tzinfo=UTC)
    assert await totals(database, tenant, 2026, range(3, 16)) == [
        "365.00",
        *["0.00"] * 11,
        "365.00",
    ]


async def test_other_plans_are_read_as_before(database: Database, tenant: Tenant) -> None:
    await start(database, tenant, "monthly")
    async with database.begin() as connection:
        period = await period_at(connection, tenant, BEGUN)
        (_, stretch) = await plan_stretches(connection, tenant.id, period)
    assert (stretch.years_since, stretch.before) == (None, None)


async def test_credit_comes_once_in_each_month_of_a_leap_year(database: Database) -> None:
    """Months that begin with their last day, through 29 February, while seats change."""
    tenant = await make_tenant(database, time_zone="America/New_York")
    begun = datetime(2027, 12, 31, 5, tzinfo=UTC)  # midnight there
    async with database.begin() as connection:
        await set_anchor(connection, tenant, 31, begun)
    await start(database, tenant, at=begun)
    moment, seats = begun, 1
    while moment < datetime(2029, 1, 31, 5, tzinfo=UTC):
        async with database.begin() as connection:
            await refresh_and_check(connection, tenant.id, moment)
            balance = await wallet_balance(connection, tenant, moment)
        assert balance.spendable == 10  # never two months' at once, never none
        seats = seats % 3 + 1
        await change(database, tenant, moment, seats=seats)
        moment += 9 * DAY
    query = select(credit_grants.c.starts_at, credit_grants.c.expires_at, credit_grants.c.amount)
    async with database.begin() as connection:
        rows = (await connection.execute(query.order_by(credit_grants.c.starts_at))).all()
    assert [amount for *_, amount in rows] == [Decimal(10)] * 13
    assert [start.month for start, *_ in rows] == [12, *range(1, 13)]
    assert [expires for _, expires, _ in rows][:-1] == [starts for starts, *_ in rows][1:]
    february = rows[2][0].astimezone(UTC)
    assert (february.day, february.hour) == (29, 5)
