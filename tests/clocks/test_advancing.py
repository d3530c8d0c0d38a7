"""A clock on its way: each thing at its own instant, by nobody else's clock, and once."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from backend.accounting.queries import _tenants_after
from backend.catalog.published import apply_catalog
from backend.clocks.advancing import advance
from backend.clocks.clocks import ask_to_advance, read_clock
from backend.clocks.errors import NoTestClock
from backend.invoices.worker import InvoicesWorker
from backend.pricing.credit.grants import GrantKind
from backend.settings import Settings
from backend.storage.database import Database
from backend.storage.tables import invoice_reminders, ledger_entries, tenants, top_ups
from backend.subscriptions.changes import change_plan
from backend.wallets.grants import add_grant
from backend.wallets.queries import set_wallet
from backend.wallets.worker import keep_wallets
from backend_client.types.accounts import Tenant
from backend_client.types.subscriptions import SubscriptionChange
from backend_client.types.test_clocks import TestClockState
from backend_client.types.wallets import CreditGrantCreate, WalletSettings
from tests.clocks.world import advance_to, on_clock
from tests.support.billing import catalog_with
from tests.support.invoices import GRACE, count, invoices_of, subscribed, used

pytestmark = pytest.mark.engine

START = datetime(2031, 3, 1, tzinfo=UTC)
APRIL = datetime(2031, 4, 1, tzinfo=UTC)
MAY = datetime(2031, 5, 1, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def settings() -> Settings:
    return Settings(invoice_grace_hours=24, dunning={"remind": 1, "warn": 7})


@pytest.fixture
async def database(database: Database) -> Database:
    async with database.begin() as connection:
        await apply_catalog(connection, catalog_with())
    return database


async def test_each_thing_happens_at_its_own_instant(
    database: Database, settings: Settings
) -> None:
    tenant = await on_clock(database, START, "paid")
    expires = START + 9 * DAY + HOUR
    async with database.begin() as connection:
        gift = CreditGrantCreate(
            name="Gift", kind=GrantKind.PROMOTIONAL, amount=Decimal(7), expires_at=expires
        )
        await add_grant(connection, tenant.id, gift, START)
        rule = WalletSettings.model_validate(
            {"top_up": {"threshold": "5", "amount": "20", "daily_ceiling": "20"}}
        )
        await set_wallet(connection, tenant.id, rule)
        later = SubscriptionChange(plan="free", at=APRIL + 14 * DAY)
        await change_plan(connection, tenant.id, later, START, by_operator=True)
    await count(database, [used(tenant, START + HOUR, 2_000_000)])
    assert (await advance_to(database, settings, tenant, MAY)).state is TestClockState.READY
    assert (await advance_to(database, settings, tenant, MAY + 10 * DAY)).at == MAY + 10 * DAY

    march, april = await invoices_of(database, tenant)
    assert (march["issued_at"], march["subtotal"]) == (APRIL + GRACE, Decimal("31.30"))
    assert (april["issued_at"], april["subtotal"]) == (MAY + GRACE, Decimal("14.47"))
    async with database.begin() as connection:
        taken = await connection.execute(
            select(invoice_reminders.c.step, invoice_reminders.c.at).order_by(
                invoice_reminders.c.at
            )
        )
        due = march["due_at"]
        assert isinstance(due, datetime)
        assert taken.all() == [("remind", due + DAY), ("warn", due + 7 * DAY)]
        expired = select(ledger_entries.c.at).where(ledger_entries.c.target == "expired")
        assert await connection.scalar(expired) == expires
        asked = (await connection.execute(select(top_ups.c.asked_at, top_ups.c.amount))).all()
        assert asked == [(expires, Decimal(20))]


async def test_whoever_acts_for_all_leaves_it_alone(database: Database, settings: Settings) -> None:
    """Also once it is removed: its invoices stay, and nobody is reminded of them."""
    tenant = await on_clock(database, START, "paid")
    other = await subscribed(database, since=START)
    await advance_to(database, settings, tenant, APRIL + 2 * DAY)
    late = START + 300 * DAY
    await keep_wallets(database, late)
    await InvoicesWorker(database, settings).keep_invoices(late, asyncio.Event())
    assert len(await invoices_of(database, tenant)) == 1
    assert len(await invoices_of(database, other)) > 5
    async with database.begin() as connection:
        await connection.execute(tenants.delete().where(tenants.c.id == tenant.id))
    await InvoicesWorker(database, settings).keep_invoices(late + 60 * DAY, asyncio.Event())
    async with database.begin() as connection:
        reminded = set(await connection.scalars(select(invoice_reminders.c.tenant_id)))
        assert reminded == {other.id}
        assert tenant.id not in await _tenants_after(connection, "", 10)  # nor is it in the books


async def test_a_clock_that_was_killed_on_its_way_goes_on_as_if_it_had_not_been(
    database: Database, settings: Settings
) -> None:
    tenant, twin = [await on_clock(database, START, "paid") for _ in range(2)]
    for customer in (tenant, twin):
        await count(database, [used(customer, START + HOUR, 12_345_678)])
    await advance_to(database, settings, twin, MAY)
    async with database.begin() as connection:
        await ask_to_advance(connection, tenant.id, MAY, {})
    stopped = 0
    while (await _state(database, tenant)) is TestClockState.ADVANCING:
        try:  # each try is given longer, so that it ends however slow the machine
            async with asyncio.timeout(0.02 * 2**stopped):
                await advance(database, settings, tenant.id, asyncio.Event())
        except TimeoutError:
            stopped += 1
    assert stopped
    wanted = ("issued_at", "subtotal", "state", "due_at", "period_start")
    bills = [
        [tuple(row[name] for name in wanted) for row in await invoices_of(database, customer)]
        for customer in (tenant, twin)
    ]
    assert bills[0] == bills[1]
    assert len(bills[0]) == 1


async def _state(database: Database, tenant: Tenant) -> TestClockState:
    async with database.begin() as connection:
        return (await read_clock(connection, tenant.id)).state


async def test_a_tenant_that_can_not_be_billed_stops_its_clock_with_the_reason(
    database: Database, settings: Settings
) -> None:
    tenant = await on_clock(database, START, "paid")
    async with database.begin() as connection:
        await connection.execute(text("UPDATE tenants SET currency = 'XTS'"))
    clock = await advance_to(database, settings, tenant, MAY)
    assert (clock.state, clock.target) == (TestClockState.FAILED, MAY)
    assert clock.at < MAY
    assert clock.problem is not None
    assert "XTS" in clock.problem
    async with database.begin() as connection:
        await connection.execute(text("UPDATE tenants SET currency = 'USD'"))
    clock = await advance_to(database, settings, tenant, MAY)
    assert (clock.state, clock.at, clock.problem) == (TestClockState.READY, MAY, None)
    assert len(await invoices_of(database, tenant)) == 1


async def test_no_clock_goes_back_and_no_customer_gets_one(database: Database) -> None:
    customer, tenant = await subscribed(database), await on_clock(database, START)
    for moved, to in ((tenant, START - HOUR), (tenant, None), (customer, START)):
        with pytest.raises(DBAPIError, match=r"only goes forward|clocks_are_of_samples"):
            async with database.begin() as connection:
                await connection.execute(
                    tenants.update().where(tenants.c.id == moved.id).values(clock_at=to)
                )
    async with database.begin() as connection:
        with pytest.raises(NoTestClock):
            await ask_to_advance(connection, customer.id, MAY, {})
