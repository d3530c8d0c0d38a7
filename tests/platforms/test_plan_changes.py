"""A plan that changes while Stripe rates it: each period is billed once, by the plan in force."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from backend.catalog.published import apply_catalog
from backend.platforms.comparing.verifying import connection_rows, verify
from backend.platforms.connections import connect, disconnect
from backend.platforms.errors import PlatformCutOver
from backend.platforms.queueing.plan_changes import follow_plans
from backend.platforms.queueing.usage import collect_usage
from backend.platforms.stripe.adapter import Stripe
from backend.pricing.periods import BillingPeriod, billing_period
from backend.settings import Settings
from backend.spend.gathering import metered_period
from backend.storage.database import Database
from backend.storage.tables import platform_connections
from backend.subscriptions.changes import cancel, change_plan, pause
from backend.subscriptions.errors import PlanRatedElsewhere
from backend.subscriptions.periods import set_anchor
from backend_client.types.accounts import Tenant
from backend_client.types.platforms import PlatformConnect, PlatformMode
from backend_client.types.subscriptions import (
    SubscriptionCancel,
    SubscriptionChange,
    SubscriptionPause,
)
from tests.platforms.conftest import Clock, dispatches, drift, send
from tests.platforms.test_usage_on_stripe import PLAN
from tests.support.billing import catalog_with
from tests.support.invoices import count, invoices_of, run_invoices, subscribed, used
from tests.support.stripe.server import StripeStandIn

pytestmark = pytest.mark.engine

# Periods to come, whatever day it is: Stripe ends what is to end by itself
FIRST = billing_period(billing_period(datetime.now(UTC), "UTC").end, "UTC")
SECOND = billing_period(FIRST.end, "UTC")
THIRD = billing_period(SECOND.end, "UTC")
MIDDLE = FIRST.start + timedelta(days=10)
DEARER = PLAN | {
    "id": "dearer",
    "name": "Dearer",
    "charges": [
        {"id": "fee", "name": "Fee", "kind": "flat", "price": "50.01"},
        {
            "id": "input",
            "name": "Input",
            "kind": "per_unit",
            "meters": ["input_tokens"],
            "models": ["large"],
            "price": "71",
        },
    ],
}


@pytest.fixture(autouse=True)
async def catalog_of_every_test(database: Database) -> None:
    catalog = catalog_with()
    document = catalog.model_dump(mode="json")
    document["plans"] += [PLAN, DEARER]
    async with database.begin() as connection:
        await apply_catalog(connection, type(catalog).model_validate(document))


class Worker:
    """What a worker does every minute, at any time."""

    def __init__(self, database: Database, stripe: Stripe, stand_in: StripeStandIn) -> None:
        self.database = database
        self.stripe = stripe
        self.stand_in = stand_in

    async def works(self, at: datetime) -> int:
        """Follow plans, collect usage and send; return how many changes of plan were queued."""
        clock = Clock()
        clock.pass_by(at - datetime.now(UTC))
        self.stand_in.behind = clock.ahead
        followed = await follow_plans(self.database, {"stripe": self.stripe}, at)
        await collect_usage(self.database, ["stripe"], at)
        await send(self.database, self.stripe, clock)
        return followed


@pytest.fixture
def worker(database: Database, stripe: Stripe, stand_in: StripeStandIn) -> Worker:
    return Worker(database, stripe, stand_in)


@pytest.fixture
async def tenant(database: Database, stripe: Stripe, worker: Worker) -> Tenant:
    """Rated by Stripe since the first period began."""
    tenant = await subscribed(database, "fitting", FIRST.start)
    wanted = PlatformConnect(platform="stripe", mode=PlatformMode.USAGE, starts_at=FIRST.start)
    async with database.begin() as connection:
        await connect(connection, tenant.id, wanted, stripe, FIRST.start)
    assert await worker.works(FIRST.start + timedelta(minutes=1)) == 0
    return tenant


async def change(
    database: Database, tenant: Tenant, plan: str, now: datetime, at: datetime | None = None
) -> datetime:
    async with database.begin() as connection:
        wanted = SubscriptionChange(plan=plan, at=at)
        return (await change_plan(connection, tenant.id, wanted, now)).start


async def ours(database: Database, tenant: Tenant, period: BillingPeriod) -> int:
    async with database.begin() as connection:
        return int((await metered_period(connection, tenant, period)).rate().total * 100)


async def on_the_way(database: Database) -> list[tuple[Any, ...]]:
    query = select(
        platform_connections.c.mode,
        platform_connections.c.starts_at,
        platform_connections.c.ends_at,
    ).order_by(platform_connections.c.starts_at)
    async with database.begin() as connection:
        return [tuple(row) for row in await connection.execute(query)]


async def test_each_period_is_billed_once_by_the_plan_in_force(
    database: Database, settings: Settings, stand_in: StripeStandIn, worker: Worker, tenant: Tenant
) -> None:
    """From plan to plan, and on to one that Stripe can't rate: our invoices go on from there."""
    last_quarter = FIRST.end - timedelta(minutes=3)
    await count(
        database,
        [
            used(tenant, MIDDLE, "123456.5"),
            used(tenant, last_quarter, "2000000"),
            used(tenant, FIRST.end + timedelta(minutes=2), "31000"),
        ],
    )
    with pytest.raises(PlanRatedElsewhere, match="where a billing period begins: next at"):
        await change(database, tenant, "dearer", MIDDLE, MIDDLE + timedelta(days=1))
    assert await change(database, tenant, "dearer", MIDDLE) == FIRST.end
    assert await worker.works(FIRST.end - timedelta(days=2)) == 0
    assert await worker.works(FIRST.end - timedelta(hours=5)) == 1
    [before] = stand_in.books.all("subscription")
    assert before["cancel_at"] == FIRST.end.timestamp()
    assert await worker.works(FIRST.end - timedelta(hours=1)) == 0

    assert await worker.works(FIRST.end + timedelta(minutes=40)) == 1
    assert await change(database, tenant, "paid", FIRST.end + timedelta(days=3)) == SECOND.end
    await count(database, [used(tenant, last_quarter, "77")])  # late: in its own period
    await count(database, [used(tenant, SECOND.end, "1000")])  # ours to bill
    assert await worker.works(SECOND.end - timedelta(hours=2)) == 1
    assert await worker.works(SECOND.end + timedelta(minutes=40)) == 0
    assert await on_the_way(database) == [
        ("usage", FIRST.start, SECOND.end),
        ("invoices", SECOND.end, None),
    ]
    bills = {period.start: await ours(database, tenant, period) for period in (FIRST, SECOND)}
    assert bills[FIRST.start] > 3000
    assert bills[SECOND.start] == 5001 + 220
    late = THIRD.end + timedelta(hours=25)
    assert stand_in.books.billed(late) == bills
    assert {row["state"] for row in await dispatches(database, tenant)} == {"sent", "confirmed"}

    await run_invoices(database, settings, late)
    [invoice] = await invoices_of(database, tenant)
    assert invoice["period_start"] == THIRD.start
    await worker.works(late)
    [remote] = stand_in.books.all("invoice")
    assert remote["total"] == await ours(database, tenant, THIRD)
    for row in await connection_rows(database, "stripe", tenant.id):
        await verify(database, worker.stripe, row, SECOND.end + timedelta(days=1))
    assert await drift(database) == []


async def test_a_change_that_is_withdrawn_leaves_no_period_out(
    database: Database, stand_in: StripeStandIn, worker: Worker, tenant: Tenant
) -> None:
    await change(database, tenant, "dearer", MIDDLE)
    assert await worker.works(FIRST.end - timedelta(hours=5)) == 1
    await change(database, tenant, "fitting", FIRST.end - timedelta(hours=4))
    assert await worker.works(FIRST.end + timedelta(minutes=1)) == 1
    assert await worker.works(FIRST.end + timedelta(minutes=2)) == 0
    # The operator ends it: Stripe's last period is the second
    async with database.begin() as connection:
        await disconnect(connection, tenant.id, FIRST.end + timedelta(days=1))
    await worker.works(SECOND.end - timedelta(hours=20))
    assert await worker.works(SECOND.end + timedelta(minutes=1)) == 0
    assert stand_in.books.billed(THIRD.end) == {FIRST.start: 2000, SECOND.start: 2000}


async def test_a_pause_an_end_and_another_day_are_carried_over_too(
    database: Database, stand_in: StripeStandIn, worker: Worker, tenant: Tenant
) -> None:
    async with database.begin() as connection:
        wanted = SubscriptionPause(until=SECOND.end)
        assert (await pause(connection, tenant.id, wanted, MIDDLE)).start == FIRST.end
        with pytest.raises(PlanRatedElsewhere):
            await cancel(connection, tenant.id, SubscriptionCancel(when="now"), MIDDLE)
    for at in (FIRST.end, SECOND.end):
        await worker.works(at - timedelta(hours=1))
        await worker.works(at + timedelta(minutes=1))
    assert stand_in.books.billed(THIRD.start + timedelta(hours=1)) == {
        FIRST.start: 2000,
        THIRD.start: 2000,
    }
    async with database.begin() as connection:
        period = await set_anchor(connection, tenant, 15, THIRD.start + timedelta(days=2))
    for at in (THIRD.end, period.end):
        await worker.works(at - timedelta(hours=1))
        await worker.works(at + timedelta(minutes=1))
    subscriptions = stand_in.books.all("subscription")
    starts = [subscription["backdate_start_date"] for subscription in subscriptions]
    assert starts == [at.timestamp() for at in (FIRST.start, THIRD.start, THIRD.end)]


async def test_nobody_goes_over_whose_plan_changes_within_a_period(
    database: Database, stripe: Stripe
) -> None:
    tenant = await subscribed(database, "fitting", FIRST.start)
    await change(database, tenant, "dearer", MIDDLE, MIDDLE)
    wanted = PlatformConnect(platform="stripe", mode=PlatformMode.USAGE, starts_at=FIRST.start)
    async with database.begin() as connection:
        with pytest.raises(PlatformCutOver, match="within a billing period: change it where"):
            await connect(connection, tenant.id, wanted, stripe, FIRST.start)
