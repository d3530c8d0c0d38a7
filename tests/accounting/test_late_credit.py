"""The books of credit that pays an invoice after it was issued: it is a payment, not revenue."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from backend.accounting.queries import read_journal, revenue_schedule
from backend.catalog.published import apply_catalog
from backend.customers.profiles import set_terms
from backend.invoices.corrections.voiding import void
from backend.invoices.payments.applying import apply_to_all
from backend.invoices.runs.finalizing import bill_progress
from backend.settings import Settings
from backend.storage.database import Database
from backend.wallets.grants import add_grant
from backend_client.types.accounting import RevenueKind
from backend_client.types.accounts import Tenant
from backend_client.types.invoices import BillingTerms, VoidInvoice
from backend_client.types.wallets import CreditGrantCreate
from tests.support.billing import catalog_with
from tests.support.double_entry import CHART, reconcile
from tests.support.invoices import APRIL, GRACE, invoices_of, run_invoices, subscribed

pytestmark = pytest.mark.engine

ISSUED = APRIL + GRACE
OVERDUE = ISSUED + timedelta(days=31)
FIRST, LAST = date(2026, 3, 1), date(2026, 6, 1)


@pytest.fixture
async def tenant(database: Database) -> Tenant:
    """A customer with 20 of credit that was bought and an invoice of 31.00, overdue."""
    async with database.begin() as connection:
        await apply_catalog(connection, catalog_with())
    tenant = await subscribed(database)
    await run_invoices(database, Settings(), ISSUED)
    wanted = CreditGrantCreate.model_validate({"name": "Bought", "kind": "paid", "amount": "20"})
    async with database.begin() as connection:
        await add_grant(connection, tenant.id, wanted, ISSUED)
    return tenant


async def balances(database: Database, tenant: Tenant) -> dict[str, Decimal]:
    async with database.begin() as connection:
        entries, _ = await read_journal(connection, FIRST, LAST, tenant=tenant.id)
    by_account: defaultdict[str, Decimal] = defaultdict(Decimal)
    for entry in entries:
        assert sum(line.amount for line in entry.lines) == 0, entry.reference
        for line in entry.lines:
            by_account[line.account] += line.amount
    return {account: amount for account, amount in by_account.items() if amount}


async def test_credit_that_pays_what_is_overdue_is_no_revenue_and_a_void_returns_it(
    database: Database, tenant: Tenant
) -> None:
    (applied,) = await apply_to_all(database, Settings(), OVERDUE)
    assert (applied.method, applied.amount) == ("credit", 20)
    assert await balances(database, tenant) == {
        "Cash": Decimal("20.00"),
        "Accounts receivable": Decimal("11.00"),
        "Revenue": Decimal("-31.00"),
    }
    async with database.begin() as connection:
        rows = (await revenue_schedule(connection, FIRST, LAST, tenant=tenant.id)).rows
    prepaid = [row for row in rows if row.kind is RevenueKind.PREPAID]
    assert sum(row.released.amount for row in prepaid) == 20
    assert sum(row.recognized.amount for row in prepaid) == 0
    assert str(prepaid[-1].closing.amount) == "0.00"
    async with database.begin() as connection:
        [invoice] = await invoices_of(database, tenant)
        wrong = VoidInvoice(reason="Wrong")
        await void(connection, Settings(), tenant, str(invoice["id"]), wrong, OVERDUE)
    assert await balances(database, tenant) == {
        "Cash": Decimal("20.00"),
        "Customer balances": Decimal("-20.00"),
    }


async def test_given_credit_that_pays_an_open_part_later_is_no_bought_credit(
    database: Database,
) -> None:
    """A running month is billed in part; what its plan brings is earned once the month is over."""
    grant = {"id": "monthly", "name": "Monthly", "amount": "20"}
    fee = {"id": "fee", "name": "Fee", "kind": "flat", "price": "31"}
    plan = {"id": "brings", "name": "Brings", "charges": [fee]}
    plan |= {"grants": [grant]}
    async with database.begin() as connection:
        await apply_catalog(connection, catalog_with(plans=[{"id": "free", "name": "Free"}, plan]))
    tenant = await subscribed(database, "brings")
    async with database.begin() as connection:
        terms = BillingTerms(progressive_threshold=Decimal(15))
        await set_terms(connection, tenant.id, terms)
        at = datetime(2026, 3, 13, tzinfo=UTC)
        assert await bill_progress(connection, Settings(), tenant.id, at)
        bought = CreditGrantCreate.model_validate({"name": "B", "kind": "paid", "amount": "1.5"})
        await add_grant(connection, tenant.id, bought, at)
    assert (await balances(database, tenant))[CHART.promotional_credit] == Decimal("7.74")
    await run_invoices(database, Settings(), ISSUED)
    after = await balances(database, tenant)
    assert after[CHART.promotional_credit] == 20
    assert after[CHART.receivable] == Decimal("9.50")
    async with database.begin() as connection:
        entries, _ = await read_journal(connection, FIRST, LAST, tenant=tenant.id)
        assert await reconcile(connection, tenant, FIRST, LAST, ISSUED) == {}
    paid = [
        (line.account, line.amount)
        for entry in entries
        if entry.kind == "payment"
        for line in entry.lines
        if line.amount > 0
    ]
    given = CHART.promotional_credit
    bought_part = (CHART.prepaid_credit, Decimal("1.50"))
    assert paid == [(given, Decimal("7.74")), bought_part, (given, Decimal("12.26"))]
