"""A plan that begins in the past, and the bills that it makes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from backend.catalog.published import apply_catalog
from backend.errors import InvalidInput
from backend.settings import Settings
from backend.spend.queries import spend_report
from backend.storage.database import Database
from backend.subscriptions.changes import change_plan
from backend.subscriptions.errors import PrepaidNotBackdated
from backend_client.types.accounts import Tenant
from backend_client.types.subscriptions import Subscription, SubscriptionChange
from tests.support.billing import catalog_with
from tests.support.invoices import (
    APRIL,
    GRACE,
    MARCH,
    count,
    invoices_of,
    run_invoices,
    subscribed,
    used,
)

pytestmark = pytest.mark.engine

DAY = timedelta(days=1)
FEBRUARY = datetime(2026, 2, 1, tzinfo=UTC)
NOW = MARCH + 9 * DAY


@pytest.fixture(autouse=True)
async def catalog(database: Database) -> None:
    fee = {"id": "fee", "name": "Fee", "kind": "flat", "price": "28"}
    tokens = {
        "id": "input",
        "name": "Input",
        "kind": "per_unit",
        "meters": ["input_tokens"],
        "price": "1",
    }
    plans = [
        {"id": "free", "name": "Free"},
        {"id": "monthly", "name": "Monthly", "charges": [fee, tokens]},
        {"id": "tried", "name": "Tried", "charges": [fee, tokens], "trial_days": 3},
        {"id": "prepaid", "name": "Prepaid", "prepaid": True, "charges": [tokens]},
    ]
    async with database.begin() as connection:
        await apply_catalog(connection, catalog_with(plans=plans))


async def begin(
    database: Database, tenant: Tenant, plan: str, at: datetime, *, by_operator: bool = True
) -> Subscription:
    async with database.begin() as connection:
        change = SubscriptionChange(plan=plan, at=at)
        return await change_plan(connection, tenant.id, change, NOW, by_operator=by_operator)


async def totals(database: Database, tenant: Tenant, *moments: datetime) -> list[str]:
    async with database.begin() as connection:
        reports = [await spend_report(connection, tenant, moment) for moment in moments]
    return [str(report.total.amount) for report in reports]


async def test_a_plan_from_the_first_bills_the_month_and_its_usage(database: Database) -> None:
    tenant = await subscribed(database, "free", NOW - DAY)
    await count(database, [used(tenant, NOW - DAY / 2, 5_000_000)])
    assert await totals(database, tenant, NOW) == ["0.00"]
    subscription = await begin(database, tenant, "monthly", MARCH)
    assert (subscription.start, subscription.plan.definition.id) == (MARCH, "monthly")
    assert await totals(database, tenant, NOW) == ["33.00"]


async def test_the_days_of_an_earlier_month_are_its_part(
    database: Database, settings: Settings
) -> None:
    """From 15 February to 1 March is exactly half the amount of a normal monthly charge.

    https://stripe.com/docs/billing/subscriptions/backdating
    """
    tenant = await subscribed(database, "free", NOW)
    await run_invoices(database, settings, NOW)  # opens the tenant's first period, and closes none
    await begin(database, tenant, "monthly", FEBRUARY + 14 * DAY)
    assert await totals(database, tenant, FEBRUARY + 20 * DAY, NOW) == ["14.00", "28.00"]
    await run_invoices(database, settings, NOW)
    await run_invoices(database, settings, APRIL + GRACE)
    subtotals = [row["subtotal"] for row in await invoices_of(database, tenant)]
    assert subtotals == [14, 28]


async def test_a_closed_period_stays_as_it_was_invoiced(
    database: Database, settings: Settings
) -> None:
    tenant = await subscribed(database, "monthly", FEBRUARY)
    await run_invoices(database, settings, MARCH + GRACE)
    with pytest.raises(InvalidInput, match="is closed; the open one began 2026-03-01"):
        await begin(database, tenant, "tried", MARCH - DAY)
    await begin(database, tenant, "free", MARCH)
    assert await totals(database, tenant, NOW) == ["0.00"]


async def test_a_trial_runs_from_where_the_plan_begins(database: Database) -> None:
    tenant = await subscribed(database, "free", NOW)
    subscription = await begin(database, tenant, "tried", MARCH)
    assert subscription.state == "active"
    assert await totals(database, tenant, NOW) == ["25.29"]  # 28 of 31 days


@pytest.mark.parametrize("plan", ["prepaid", "monthly"])
async def test_no_prepaid_plan_begins_or_ends_in_the_past(database: Database, plan: str) -> None:
    tenant = await subscribed(database, "prepaid" if plan == "monthly" else "free", MARCH)
    with pytest.raises(PrepaidNotBackdated):
        await begin(database, tenant, plan, MARCH + DAY)


async def test_a_tenant_can_not_begin_in_the_past(database: Database) -> None:
    tenant = await subscribed(database, "monthly", MARCH)
    with pytest.raises(InvalidInput, match="is past"):
        await begin(database, tenant, "free", MARCH, by_operator=False)


async def test_a_year_that_was_mistyped_is_refused(database: Database) -> None:
    tenant = await subscribed(database, "free", FEBRUARY)
    with pytest.raises(InvalidInput, match="more than a year past"):
        await begin(database, tenant, "monthly", FEBRUARY.replace(year=2016))
