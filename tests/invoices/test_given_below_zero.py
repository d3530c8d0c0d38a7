"""Credit that nobody paid for becomes no balance where usage is corrected down."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from backend.customers.profiles import set_terms
from backend.invoices.payments.applying import account_balance
from backend.invoices.runs.finalizing import bill_progress
from backend.invoices.settling import record_payment
from backend.settings import Settings
from backend.storage.database import Database
from backend.subscriptions.changes import cancel
from backend.wallets.queries import wallet_balance
from backend.wallets.worker import keep_wallets
from backend_client.types.accounts import Tenant
from backend_client.types.invoices import BillingTerms, PaymentRecord
from backend_client.types.subscriptions import SubscriptionCancel
from tests.invoices.test_given_credit import credited, give, holdings, last_invoice
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

DAY = timedelta(days=1)
M = 1_000_000


async def part(database: Database, tenant: Tenant, settings: Settings) -> None:
    """Bill a running March in part, whatever it comes to."""
    async with database.begin() as connection:
        terms = BillingTerms(progressive_threshold=Decimal("0.01"))
        await set_terms(connection, tenant.id, terms)
        await bill_progress(connection, settings, tenant.id, MARCH + 20 * DAY)


async def pay(
    database: Database, tenant: Tenant, settings: Settings, amount: str | None = None
) -> None:
    invoice = await last_invoice(database, tenant, settings)
    wanted = {"amount": amount or str(invoice.due.amount), "method": "transfer", "reference": "1"}
    async with database.begin() as connection:
        record = PaymentRecord.model_validate(wanted)
        await record_payment(connection, tenant.id, invoice.id, record, APRIL + GRACE)


async def leave(database: Database, tenant: Tenant, at: datetime = APRIL) -> None:
    """Let nothing be asked for from then on, but what is late."""
    async with database.begin() as connection:
        await cancel(connection, tenant.id, SubscriptionCancel(when="now"), at)


async def test_a_period_that_closes_for_less_than_its_part_gives_back_what_was_given(
    database: Database, tenant: Tenant, settings: Settings
) -> None:
    await give(database, tenant, amount="60")
    await count(database, [used(tenant, MARCH, 100 * M)])  # 31 + 15
    await part(database, tenant, settings)
    await count(database, [used(tenant, MARCH, -40 * M)])
    await run_invoices(database, settings, APRIL + GRACE)
    closing = await last_invoice(database, tenant, settings)
    assert (str(closing.total.amount), closing.state) == ("-6.00", "paid")
    assert [(str(paid.amount.amount), paid.method) for paid in closing.payments] == [
        ("-6.00", "credit")
    ]
    assert await holdings(database, tenant) == ("0.00", "20.00")


async def test_money_comes_back_before_what_was_given(
    database: Database, tenant: Tenant, settings: Settings
) -> None:
    await give(database, tenant, amount="41")
    await count(database, [used(tenant, MARCH, 100 * M)])
    await part(database, tenant, settings)
    await pay(database, tenant, settings)  # the other 5
    await count(database, [used(tenant, MARCH, -40 * M)])
    await run_invoices(database, settings, APRIL + GRACE)
    assert await holdings(database, tenant) == ("5.00", "1.00")


async def test_what_goes_back_to_credit_pays_no_part_that_the_money_beside_it_pays(
    database: Database, tenant: Tenant, settings: Settings
) -> None:
    await give(database, tenant, amount="33")
    await count(database, [used(tenant, MARCH, 60 * M)])  # 31 + 9, of which 7 stay open
    await part(database, tenant, settings)
    await count(database, [used(tenant, MARCH, -47 * M)])  # 7.05 less
    await run_invoices(database, settings, APRIL + GRACE)
    assert await holdings(database, tenant) == ("7.00", "0.05")


async def test_usage_that_is_corrected_down_late_gives_back_what_was_given_once(
    database: Database, tenant: Tenant, settings: Settings
) -> None:
    await give(database, tenant, amount="44")
    await count(database, [used(tenant, MARCH, 100 * M)])
    await run_invoices(database, settings, APRIL + GRACE)
    await pay(database, tenant, settings)  # the other 2
    march = await last_invoice(database, tenant, settings)
    await leave(database, tenant)
    await count(database, [used(tenant, MARCH, -20 * M)])
    async with database.begin() as connection:
        terms = BillingTerms(progressive_threshold=None)
        await set_terms(connection, tenant.id, terms)
    await run_invoices(database, settings, MAY + GRACE)
    assert await holdings(database, tenant, MAY + GRACE) == ("2.00", "1.00")
    # What a credit note gives back since is what is left in the invoice
    note = await credited(database, tenant, settings, march, "31", MAY + GRACE)
    assert note.to_credit is not None
    assert (await holdings(database, tenant, MAY + GRACE))[1] == f"{1 + note.to_credit.amount:.2f}"


@pytest.mark.parametrize("april", ["200", "100"], ids=["asks for something", "is below zero"])
async def test_what_an_invoice_was_lessened_by_for_an_earlier_period_stays_given(
    database: Database, tenant: Tenant, settings: Settings, april: str
) -> None:
    """The next invoice takes back what March's credit had paid, by way of April's."""
    await give(database, tenant, amount="76")
    await count(database, [used(tenant, MARCH, 300 * M)])  # 31 + 45
    await run_invoices(database, settings, APRIL + GRACE)
    await leave(database, tenant, APRIL + 15 * DAY)
    late = [used(tenant, MARCH, -300 * M), used(tenant, APRIL, int(april) * M)]
    await count(database, late)  # 15.50 + 30 - 45, or with 15 instead
    await run_invoices(database, settings, MAY + GRACE)
    invoice = await last_invoice(database, tenant, settings)
    if invoice.due.amount > 0:
        await pay(database, tenant, settings)
    asked = invoice.total.amount
    assert await holdings(database, tenant, MAY + GRACE) == ("0.00", f"{max(-asked, 0):.2f}")
    await count(database, [used(tenant, APRIL, -int(april) * M)])
    end = MAY + 31 * DAY + GRACE
    await run_invoices(database, settings, end)
    left = Decimal("29.50")  # of 45, since April's fee is still asked for
    assert await holdings(database, tenant, end) == (f"{max(asked, 0):.2f}", f"{left:.2f}")


@pytest.mark.parametrize("in_arrears", [True, False])
async def test_what_returns_to_a_grant_that_is_over_is_dropped(
    database: Database, tenant: Tenant, settings: Settings, in_arrears: bool
) -> None:
    over = APRIL if in_arrears else APRIL + 10 * DAY
    await give(database, tenant, amount="60", expires_at=over, in_arrears=in_arrears)
    await count(database, [used(tenant, MARCH, 100 * M)])
    await run_invoices(database, settings, APRIL + GRACE)
    await leave(database, tenant)
    await count(database, [used(tenant, MARCH, -20 * M)])
    await run_invoices(database, settings, MAY + GRACE)
    await keep_wallets(database, MAY + GRACE + DAY)
    late = await last_invoice(database, tenant, settings)
    assert str(late.total.amount) == "-3.00"
    assert await holdings(database, tenant, MAY + GRACE + DAY) == ("0.00", "0.00")


changes = st.tuples(st.integers(-120, 60), st.integers(-120, 60), st.booleans())
"""By how many millions of tokens March and April were counted wrong, and whether the customer pays
then."""


@hypothesis_settings(
    max_examples=examples(10),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    handed=st.integers(0, 60),
    bought=st.integers(0, 20),
    usage=st.integers(60, 120),
    in_part=st.booleans(),
    months=st.tuples(changes, changes, changes),
)
async def test_no_history_of_corrections_makes_money_of_what_was_given(
    database: Database,
    settings: Settings,
    handed: int,
    bought: int,
    usage: int,
    in_part: bool,
    months: tuple[tuple[int, int, bool], ...],
) -> None:
    tenant = await subscribed(database, "paid")
    for kind, amount in (("promotional", handed), ("paid", bought)):
        if amount:
            await give(database, tenant, kind=kind, amount=str(amount))
    await count(database, [used(tenant, MARCH, usage * M)])
    if in_part:
        await part(database, tenant, settings)
    received, now = Decimal(0), MARCH
    of_april = 0
    for number, (wrong, wrong_in_april, pays) in enumerate(months):
        change = max(wrong, -usage)
        change_in_april = max(wrong_in_april, -of_april) if number else 0
        usage, of_april = usage + change, of_april + change_in_april
        late = [used(tenant, MARCH, change * M), used(tenant, APRIL, change_in_april * M)]
        await count(database, [event for event in late if any(event.quantities.values())])
        now = (APRIL, MAY, MAY + 31 * DAY)[number] + GRACE
        await run_invoices(database, settings, now)
        if not number:
            await leave(database, tenant, APRIL + DAY)
        invoice = await last_invoice(database, tenant, settings)
        if pays and invoice.due.amount > 0:
            received += invoice.due.amount
            await pay(database, tenant, settings)
        await holdings(database, tenant, now)
        rows = await invoices_of(database, tenant)
        async with database.begin() as connection:
            account = await account_balance(connection, tenant, now)
            left = (await wallet_balance(connection, tenant, now)).spendable
        owed, balance = account.owed.amount, account.balance.amount
        # All that came in is with the seller for what was asked, or the customer's still
        asked = sum((Decimal(str(row["total"])) for row in rows), Decimal(0))
        assert received + bought + handed + owed == asked + balance + left
        # What is owed may be paid by what comes back
        assert balance <= received + bought + owed
