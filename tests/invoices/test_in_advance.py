"""Fees in advance: invoiced as their period begins; the invoice that closes it settles the rest."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, update

from backend.catalog.published import apply_catalog
from backend.invoices.worker import InvoicesWorker
from backend.settings import Settings
from backend.storage.database import Database
from backend.storage.tables import billing_cursors, tenants
from backend.subscriptions.changes import cancel, change_plan
from backend_client.types.accounts import Tenant
from backend_client.types.subscriptions import SubscriptionCancel, SubscriptionChange
from tests.support.billing import catalog_with
from tests.support.invoices import APRIL, GRACE, MAY, count, invoices_of, subscribed, used

pytestmark = pytest.mark.engine

DAY = timedelta(days=1)
JUNE = datetime(2026, 6, 1, tzinfo=UTC)
FEE = {"id": "fee", "name": "Fee", "kind": "flat", "price": "20", "in_advance": True}
INPUT = {
    "id": "input",
    "name": "Input",
    "kind": "per_unit",
    "meters": ["input_tokens"],
    "price": "1",
}
SEATS = FEE | {"id": "seats", "name": "Seats", "per": "seat", "price": "30"}
PLANS = [
    {"id": "free", "name": "Free"},
    {"id": "small", "name": "Small", "charges": [FEE, INPUT]},
    {"id": "large", "name": "Large", "charges": [FEE | {"price": "50"}, INPUT]},
    {"id": "tried", "name": "Tried", "charges": [FEE], "trial_days": 10},
    {"id": "team", "name": "Team", "charges": [SEATS]},
    {
        "id": "onboarded",
        "name": "Onboarded",
        "charges": [
            {"id": "each", "name": "Each", "kind": "flat", "cadence": "once", "price": "100"}
            | {"per": "seat"},
            {"id": "training", "name": "Training", "kind": "flat", "cadence": "once", "price": "7"}
            | {"per": "add_on"},
        ],
    },
    {
        "id": "quarterly",
        "name": "Quarterly",
        "charges": [
            FEE | {"cadence": "quarter", "price": "60"},
            {"id": "setup", "name": "Set-up", "kind": "flat", "cadence": "once", "price": "100"},
        ],
    },
]


@pytest.fixture(autouse=True)
async def catalog(database: Database) -> None:
    async with database.begin() as connection:
        await apply_catalog(connection, catalog_with(plans=PLANS))


class Worker:
    """The worker's pass at any times, and what it invoiced."""

    def __init__(self, database: Database, settings: Settings, tenant: Tenant) -> None:
        self._database, self._tenant = database, tenant
        self._worker = InvoicesWorker(database, settings)

    async def at(self, *moments: datetime) -> list[tuple[str, str]]:
        """The kinds and subtotals of all invoices after passes at ``moments``."""
        for moment in moments:
            await self._worker.keep_invoices(moment, asyncio.Event())
        invoices = await invoices_of(self._database, self._tenant)
        return [(str(row["kind"]), f"{row['subtotal']:.2f}") for row in invoices]


async def move(database: Database, tenant: Tenant, at: datetime, **wanted: object) -> None:
    async with database.begin() as connection:
        asked = SubscriptionChange(**({"plan": "small", "at": at} | wanted))
        await change_plan(connection, tenant.id, asked, at)


async def test_a_fee_is_invoiced_when_its_period_begins(
    database: Database, settings: Settings
) -> None:
    tenant = await subscribed(database, "small", APRIL)
    worker = Worker(database, settings, tenant)
    began = [("progressive", "20.00")]
    assert await worker.at(APRIL, APRIL, APRIL + DAY) == began
    await count(database, [used(tenant, APRIL + 2 * DAY, 3_000_000)])
    assert await worker.at(APRIL + 3 * DAY) == began  # usage waits for the period's end
    # The period closes with its usage, and the next is asked for as soon as it has
    assert await worker.at(MAY, MAY + GRACE) == [
        *began,
        ("period", "3.00"),
        ("progressive", "20.00"),
    ]


async def test_what_failed_is_asked_for_again_each_hour(
    database: Database, settings: Settings
) -> None:
    tenant = await subscribed(database, "small", APRIL)
    worker = Worker(database, settings, tenant)
    async with database.begin() as connection:
        await connection.execute(update(tenants).values(currency="XTS"))
    assert await worker.at(APRIL) == []
    async with database.begin() as connection:
        await connection.execute(update(tenants).values(currency="USD"))
    assert await worker.at(APRIL + timedelta(minutes=1), APRIL + timedelta(minutes=59)) == []
    assert await worker.at(APRIL + timedelta(minutes=60)) == [("progressive", "20.00")]


async def test_an_upgrade_is_asked_for_at_once(database: Database, settings: Settings) -> None:
    """From $20 to $50 halfway through the month: $15, half of the difference.

    https://docs.useautumn.com/documentation/modelling-pricing/proration
    """
    tenant = await subscribed(database, "small", APRIL)
    worker = Worker(database, settings, tenant)
    await worker.at(APRIL)
    await move(database, tenant, APRIL + 15 * DAY, plan="large")
    assert await worker.at(APRIL + 15 * DAY) == [("progressive", "20.00"), ("progressive", "15.00")]
    assert await worker.at(MAY + GRACE) == [
        ("progressive", "20.00"),
        ("progressive", "15.00"),
        ("period", "0.00"),  # all of it was asked for before
        ("progressive", "50.00"),
    ]


async def test_what_was_asked_in_advance_is_given_back_when_the_period_closes(
    database: Database, settings: Settings
) -> None:
    tenant = await subscribed(database, "small", APRIL)
    worker = Worker(database, settings, tenant)
    await worker.at(APRIL)
    async with database.begin() as connection:
        await cancel(connection, tenant.id, SubscriptionCancel(when="now"), APRIL + 15 * DAY)
    assert await worker.at(APRIL + 15 * DAY, MAY + GRACE) == [
        ("progressive", "20.00"),
        ("period", "-10.00"),
    ]


async def test_nothing_is_asked_in_advance_on_trial(database: Database, settings: Settings) -> None:
    tenant = await subscribed(database, "tried", APRIL)
    worker = Worker(database, settings, tenant)
    assert await worker.at(APRIL, APRIL + 9 * DAY) == []
    assert await worker.at(APRIL + 10 * DAY) == [("progressive", "13.33")]  # 20 of 30 days


async def test_more_seats_are_asked_for_at_once(database: Database, settings: Settings) -> None:
    tenant = await subscribed(database, "team", APRIL)
    worker = Worker(database, settings, tenant)
    await worker.at(APRIL)
    await move(database, tenant, APRIL + 20 * DAY, plan="team", seats=4)
    assert await worker.at(APRIL + 20 * DAY) == [("progressive", "30.00"), ("progressive", "30.00")]
    await move(database, tenant, APRIL + 25 * DAY, plan="team", seats=1)
    assert len(await worker.at(APRIL + 25 * DAY)) == 2
    assert (await worker.at(MAY + GRACE))[2:] == [("period", "-15.00"), ("progressive", "30.00")]


async def test_a_quarter_in_advance_and_a_set_up_fee(
    database: Database, settings: Settings
) -> None:
    """The first part has all that the period asks for so far; two months then ask for nothing.

    April closes with an invoice that has all lines, less what was asked for before.
    """
    tenant = await subscribed(database, "quarterly", APRIL)
    worker = Worker(database, settings, tenant)
    first = [("progressive", "160.00"), ("period", "0.00")]
    assert await worker.at(APRIL) == first[:1]
    assert await worker.at(MAY + GRACE, JUNE + GRACE) == first
    july = JUNE + 30 * DAY
    assert await worker.at(july + GRACE) == [*first, ("progressive", "60.00")]


async def test_set_up_is_not_asked_again_by_seats_or_another_version(
    database: Database, settings: Settings
) -> None:
    tenant = await subscribed(database, "quarterly", APRIL)
    worker = Worker(database, settings, tenant)
    await worker.at(APRIL)
    await move(database, tenant, MAY + 2 * DAY, plan="quarterly", seats=3)
    assert await worker.at(MAY + 2 * DAY, JUNE + GRACE) == [
        ("progressive", "160.00"),
        ("period", "0.00"),
    ]


async def test_a_set_up_fee_by_the_seat_is_asked_once_for_each_in_whatever_month_it_came(
    database: Database, settings: Settings
) -> None:
    tenant = await subscribed(database, "onboarded", APRIL)
    worker = Worker(database, settings, tenant)
    await move(database, tenant, APRIL + 10 * DAY, plan="onboarded", seats=3)
    add_ons = {"training": 1}
    await move(database, tenant, MAY + 10 * DAY, plan="onboarded", seats=4, add_ons=add_ons)
    june, july, august = (datetime(2026, month, 1, tzinfo=UTC) for month in (6, 7, 8))
    await move(database, tenant, june, plan="onboarded", seats=5, add_ons=add_ons)
    for closing in (MAY, june, july, august):
        await worker.at(closing + GRACE)
    assert [amount for _, amount in await worker.at()] == ["300.00", "107.00", "100.00"]


async def test_a_tenant_that_can_not_be_rated_delays_no_other(
    database: Database, settings: Settings
) -> None:
    broken, sound = sorted(
        [await subscribed(database, "small", APRIL) for _ in range(2)], key=lambda each: each.id
    )
    async with database.begin() as connection:
        await connection.execute(
            update(tenants).where(tenants.c.id == broken.id).values(currency="XTS")
        )
    worker = Worker(database, settings, sound)
    assert await worker.at(APRIL) == [("progressive", "20.00")]
    assert await invoices_of(database, broken) == []
    # It is tried again in an hour, and told to the operator until then
    problem = select(billing_cursors.c.problem).where(billing_cursors.c.tenant_id == broken.id)
    async with database.begin() as connection:
        assert await connection.scalar(problem)
        await connection.execute(
            update(tenants).where(tenants.c.id == broken.id).values(currency="USD")
        )
    await worker.at(APRIL + timedelta(hours=1))
    assert len(await invoices_of(database, broken)) == 1
