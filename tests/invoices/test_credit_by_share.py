"""Credit that a plan brings comes with the plan's share of the period, whoever changes when."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from backend.catalog.published import apply_catalog
from backend.settings import Settings
from backend.storage.database import Database
from backend.subscriptions.changes import cancel, change_plan
from backend.wallets import holds
from backend.wallets.queries import list_grants
from backend.wallets.worker import keep_wallets
from backend_client.types.accounts import Tenant
from backend_client.types.subscriptions import SubscriptionCancel, SubscriptionChange
from tests.support.billing import catalog_with
from tests.support.examples import examples
from tests.support.invoices import (
    APRIL,
    GRACE,
    MARCH,
    MAY,
    count,
    invoices_of,
    run_invoices,
    subscribed,
    used,
)

pytestmark = pytest.mark.engine

QUARTER = timedelta(minutes=15)
DAY = timedelta(days=1)


def plan(name: str, *, prepaid: bool) -> dict[str, object]:
    fee = {"id": "fee", "name": "Fee", "kind": "flat", "price": name.rpartition("-")[2]}
    calls = {"id": "input", "name": "Input", "kind": "per_unit", "meters": ["input_tokens"]}
    credit = {"id": "monthly", "name": "Monthly", "amount": name.rpartition("-")[2]}
    return {
        "id": name,
        "name": name,
        "prepaid": prepaid,
        "charges": [calls | {"unit_size": 1, "price": "1"}] + ([] if prepaid else [fee]),
        "grants": [credit],
    }


@pytest.fixture(autouse=True)
async def sold(database: Database) -> None:
    plans = [
        {"id": "free", "name": "Free"},
        plan("invoiced-20", prepaid=False),
        plan("invoiced-100", prepaid=False),
        plan("prepaid-20", prepaid=True),
        plan("prepaid-100", prepaid=True),
    ]
    async with database.begin() as connection:
        await apply_catalog(connection, catalog_with(plans=plans))


async def change(database: Database, tenant: Tenant, plan: str, at: datetime) -> None:
    """Have a tenant choose a plan from ``at`` on, and the worker look at its wallet then."""
    async with database.begin() as connection:
        wanted = SubscriptionChange(plan=plan)
        await change_plan(connection, tenant.id, wanted, at - timedelta(minutes=1))
    await keep_wallets(database, at)


async def call(database: Database, tenant: Tenant, name: str, cost: int, at: datetime) -> None:
    """Make a prepaid call, and have it counted."""
    async with database.begin() as connection:
        await holds.reserve(connection, tenant.id, name, "large", Decimal(cost), at)
        await holds.settle(connection, tenant.id, name, Decimal(cost), at)
    await count(database, [used(tenant, at, cost)])


async def left(database: Database, tenant: Tenant) -> dict[str, str]:
    """What is left of each plan's credit, of how much."""
    async with database.begin() as connection:
        page = await list_grants(connection, tenant.id, cursor=None, limit=100)
    return {
        grant.id.partition(".")[0]: f"{grant.available:.2f} of {grant.amount:.2f}"
        for grant in page.items
    }


async def asked(database: Database, settings: Settings, tenant: Tenant) -> list[tuple[str, str]]:
    """The total of each invoice of March, and what credit paid of it."""
    await run_invoices(database, settings, APRIL + GRACE)
    return [
        (f"{row['total']:.2f}", f"{row['paid']:.2f}") for row in await invoices_of(database, tenant)
    ]


async def test_a_late_upgrade_pays_the_invoice_with_hours_of_the_new_credit(
    database: Database, settings: Settings
) -> None:
    """Not with 120: 3 hours and 45 minutes of 744 hours are half a dollar of a hundred."""
    tenant = await subscribed(database, "invoiced-20")
    await keep_wallets(database, MARCH + DAY)
    await count(database, [used(tenant, MARCH + DAY, 500)])
    await change(database, tenant, "invoiced-100", APRIL - 15 * QUARTER)
    assert await left(database, tenant) == {
        "invoiced-20": "19.89 of 19.89",
        "invoiced-100": "0.50 of 0.50",
    }
    assert await asked(database, settings, tenant) == [("520.40", "20.39")]


async def test_a_quarter_of_an_hour_of_a_prepaid_plan_is_asked_for_what_was_used_of_its_credit(
    database: Database, settings: Settings
) -> None:
    tenant = await subscribed(database, "prepaid-20")
    await change(database, tenant, "prepaid-100", MARCH + 10 * DAY)
    await call(database, tenant, "req_1", 70, MARCH + 10 * DAY)  # of 6.45 and 67.74
    await change(database, tenant, "prepaid-20", MARCH + 10 * DAY + QUARTER)
    # The other plan's credit, of which 19.99 are due, pays what it can
    standing = await left(database, tenant)
    assert standing["prepaid-20"] == "0.00 of 2.26"
    assert await asked(database, settings, tenant) == [("49.98", "20.00")]  # by April's


@hypothesis_settings(
    max_examples=examples(6),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(days=st.integers(1, 29), march=st.integers(0, 150), calls=st.integers(0, 40))
@example(days=2, march=50, calls=0)
async def test_credit_that_paid_an_invoice_before_its_plan_was_left_is_asked_for_again(
    database: Database, settings: Settings, days: int, march: int, calls: int
) -> None:
    """What was had free of charge is the share of the plan's credit, whatever it had paid."""
    tenant = await subscribed(database, "invoiced-20")
    await keep_wallets(database, MARCH)
    await count(database, [used(tenant, MARCH + DAY, march)])
    await change(database, tenant, "prepaid-100", APRIL)
    await run_invoices(database, settings, APRIL + GRACE)
    [invoice] = await invoices_of(database, tenant)
    of_april = invoice["paid"] - 20
    assert of_april == min(march, 100)
    calls = min(calls, int(100 - of_april))
    left_at = APRIL + days * DAY
    if calls:
        at = max(APRIL + GRACE, left_at - QUARTER - timedelta(minutes=2))
        await call(database, tenant, "req_1", calls, min(at, left_at - timedelta(minutes=2)))
    await change(database, tenant, "free", left_at)
    await run_invoices(database, settings, MAY + GRACE)
    share = Decimal(100 * days * 100 // 30) / 100
    beyond = max(of_april + calls - share, Decimal(0))
    later = [row for row in await invoices_of(database, tenant) if row["id"] != invoice["id"]]
    assert sum((row["total"] for row in later), Decimal(0)) == beyond


async def test_nothing_is_asked_for_that_the_new_plans_credit_covers(
    database: Database, settings: Settings
) -> None:
    """An upgrade in mid period: half of the one and half of the other, and forty left of it."""
    tenant = await subscribed(database, "prepaid-20")
    await keep_wallets(database, MARCH)
    await call(database, tenant, "req_1", 20, MARCH + DAY)
    middle = MARCH + 15 * DAY + 12 * 4 * QUARTER
    await change(database, tenant, "prepaid-100", middle)
    assert await left(database, tenant) == {
        "prepaid-20": "0.00 of 20.00",
        "prepaid-100": "40.00 of 40.00",
    }
    await call(database, tenant, "req_2", 40, middle + DAY)
    assert await asked(database, settings, tenant) == []


async def test_who_leaves_keeps_what_was_earned_and_who_comes_back_has_the_rest(
    database: Database, settings: Settings
) -> None:
    tenant = await subscribed(database, "prepaid-100")
    await keep_wallets(database, MARCH)
    assert await left(database, tenant) == {"prepaid-100": "100.00 of 100.00"}
    async with database.begin() as connection:
        ends = SubscriptionCancel(when="now")
        await cancel(connection, tenant.id, ends, MARCH + 10 * DAY - timedelta(minutes=1))
    await keep_wallets(database, MARCH + 10 * DAY)
    assert await left(database, tenant) == {"prepaid-100": "32.25 of 32.25"}
    await change(database, tenant, "prepaid-100", MARCH + 20 * DAY)
    assert await left(database, tenant) == {"prepaid-100": "67.74 of 67.74"}
    await call(database, tenant, "req_1", 67, MARCH + 21 * DAY)
    assert await asked(database, settings, tenant) == []


async def test_credit_that_a_call_holds_when_its_plan_is_left_is_taken_back_when_it_is_free(
    database: Database,
) -> None:
    tenant = await subscribed(database, "prepaid-100")
    at = MARCH + 10 * DAY
    async with database.begin() as connection:
        held = at - timedelta(minutes=2)
        await holds.reserve(connection, tenant.id, "req_1", "large", Decimal(90), held)
    await change(database, tenant, "free", at)
    assert await left(database, tenant) == {"prepaid-100": "0.00 of 90.00"}
    async with database.begin() as connection:
        await holds.settle(connection, tenant.id, "req_1", Decimal(30), at + QUARTER)
    await keep_wallets(database, at + 2 * QUARTER)
    assert await left(database, tenant) == {"prepaid-100": "2.25 of 32.25"}


async def test_a_call_that_is_void_gives_back_no_more_than_the_share(database: Database) -> None:
    tenant = await subscribed(database, "prepaid-20")
    await keep_wallets(database, MARCH)
    await call(database, tenant, "req_1", 20, MARCH + DAY)
    await change(database, tenant, "prepaid-100", MARCH + 15 * DAY + 12 * 4 * QUARTER)
    async with database.begin() as connection:
        await holds.correct(connection, tenant.id, "req_1", Decimal(0), MARCH + 17 * DAY)
    await keep_wallets(database, MARCH + 17 * DAY + QUARTER)
    assert await left(database, tenant) == {
        "prepaid-20": "10.00 of 10.00",
        "prepaid-100": "50.00 of 50.00",
    }
