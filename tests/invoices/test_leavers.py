"""Who leaves has the last invoice when the grace is over, and not when the period ends."""

from __future__ import annotations

from datetime import timedelta

import pytest

from backend.invoices.drafts.billing_cursors import open_cursors
from backend.invoices.worker import bill_progress_of_all
from backend.settings import Settings
from backend.storage.database import Database
from backend.subscriptions.changes import cancel, change_plan
from backend_client.types.accounts import Tenant
from backend_client.types.subscriptions import SubscriptionCancel, SubscriptionChange
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
M = 1_000_000


@pytest.fixture
async def left(database: Database, applied: object) -> Tenant:
    """A tenant of the plan with a fee of 31 a month and 0.15 a million, gone with the first day."""
    tenant = await subscribed(database, "paid")
    await count(database, [used(tenant, MARCH + DAY / 2, 20 * M)])
    async with database.begin() as connection:
        wanted = SubscriptionCancel(when="now")
        await cancel(connection, tenant.id, wanted, MARCH + DAY - timedelta(minutes=1))
        await open_cursors(connection)  # as the worker does each minute
    return tenant


async def totals(database: Database, tenant: Tenant) -> list[str]:
    return [f"{row['total']:.2f}" for row in await invoices_of(database, tenant)]


async def test_the_last_invoice_comes_when_the_grace_is_over_and_once(
    database: Database, settings: Settings, left: Tenant
) -> None:
    assert await bill_progress_of_all(database, settings, MARCH + DAY + GRACE / 2) == []
    (invoice_id,) = await bill_progress_of_all(database, settings, MARCH + DAY + GRACE)
    assert await totals(database, left) == ["4.00"]  # a day's fee, and the usage
    # What comes later waits for the period's end
    await count(database, [used(left, MARCH + DAY / 3, 10 * M)])
    assert await bill_progress_of_all(database, settings, MARCH + 9 * DAY) == []
    await run_invoices(database, settings, APRIL + GRACE)
    assert await totals(database, left) == ["4.00", "1.50"]
    assert invoice_id in [row["id"] for row in await invoices_of(database, left)]


async def test_nothing_is_invoiced_again_when_the_period_ends(
    database: Database, settings: Settings, left: Tenant
) -> None:
    await bill_progress_of_all(database, settings, MARCH + 3 * DAY)
    await run_invoices(database, settings, APRIL + GRACE)
    await run_invoices(database, settings, APRIL + 31 * DAY + GRACE)
    # The invoice that closes the period has all its lines, and takes off the one before
    assert await totals(database, left) == ["4.00", "0.00"]


async def test_who_comes_back_in_the_period_pays_the_rest_at_its_end(
    database: Database, settings: Settings, left: Tenant
) -> None:
    await bill_progress_of_all(database, settings, MARCH + 3 * DAY)
    async with database.begin() as connection:
        wanted = SubscriptionChange(plan="paid")
        await change_plan(connection, left.id, wanted, MARCH + 21 * DAY - timedelta(minutes=1))
    assert await bill_progress_of_all(database, settings, MARCH + 23 * DAY) == []
    await run_invoices(database, settings, APRIL + GRACE)
    assert await totals(database, left) == ["4.00", "10.00"]


async def test_who_owes_nothing_and_who_stays_until_the_period_ends_has_none(
    database: Database, settings: Settings, applied: object
) -> None:
    free, stays = await subscribed(database, "free"), await subscribed(database, "paid")
    async with database.begin() as connection:
        await cancel(connection, free.id, SubscriptionCancel(when="now"), MARCH + DAY)
        await cancel(connection, stays.id, SubscriptionCancel(when="period_end"), MARCH + DAY)
        await open_cursors(connection)
    assert await bill_progress_of_all(database, settings, MARCH + 9 * DAY) == []
    await run_invoices(database, settings, APRIL + GRACE)
    assert await totals(database, free) == []
    assert await totals(database, stays) == ["31.00"]
