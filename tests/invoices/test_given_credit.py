"""Credit that nobody paid for stays credit, whatever becomes of the invoice that it paid."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from backend.accounting.queries import read_journal
from backend.errors import FareboxError
from backend.invoices.corrections.credit_notes import credit
from backend.invoices.corrections.reversals import reverse_credit_note
from backend.invoices.corrections.voiding import void
from backend.invoices.payments.applying import account_balance
from backend.invoices.payments.returning import refund_payment, return_payment
from backend.invoices.queries import find_invoice
from backend.invoices.settling import record_payment
from backend.settings import Settings
from backend.storage.database import Database
from backend.wallets.grants import add_grant
from backend.wallets.queries import wallet_balance
from backend.wallets.worker import keep_wallets
from backend_client.types.accounts import Tenant
from backend_client.types.invoices import (
    CreditNote,
    CreditNoteCreate,
    CreditNoteReversal,
    Invoice,
    Payment,
    PaymentRecord,
    PaymentRefund,
    PaymentReturn,
    VoidInvoice,
)
from backend_client.types.wallets import CreditGrantCreate
from tests.support.double_entry import CHART, reconcile
from tests.support.invoices import APRIL, GRACE, MARCH, MAY, invoices_of, run_invoices

pytestmark = pytest.mark.engine

NOW = APRIL + GRACE
LATER = NOW + timedelta(days=20)


async def give(database: Database, tenant: Tenant, **wanted: object) -> None:
    terms = {"name": "Credit", "kind": "promotional"} | wanted
    async with database.begin() as connection:
        await add_grant(connection, tenant.id, CreditGrantCreate.model_validate(terms), MARCH)


async def billed(database: Database, tenant: Tenant, settings: Settings) -> Invoice:
    await run_invoices(database, settings, NOW)
    return await last_invoice(database, tenant, settings)


async def last_invoice(database: Database, tenant: Tenant, settings: Settings) -> Invoice:
    *_, row = await invoices_of(database, tenant)
    async with database.begin() as connection:
        return await find_invoice(connection, settings, tenant.id, str(row["id"]), NOW)


async def credited(
    database: Database,
    tenant: Tenant,
    settings: Settings,
    invoice: Invoice,
    amount: str | None = None,
    at: datetime = NOW,
) -> CreditNote:
    lines = [] if amount is None else [{"line": 1, "amount": amount}]
    wanted = CreditNoteCreate.model_validate({"reason": "Wrong", "lines": lines})
    async with database.begin() as connection:
        note_id = await credit(connection, settings, tenant, invoice.id, wanted, at)
        after = await find_invoice(connection, settings, tenant.id, invoice.id, at)
    return next(note for note in after.credit_notes if note.id == note_id)


async def paid(database: Database, tenant: Tenant, invoice: Invoice) -> None:
    wanted = {"amount": str(invoice.due.amount), "method": "transfer", "reference": "1"}
    async with database.begin() as connection:
        record = PaymentRecord.model_validate(wanted)
        await record_payment(connection, tenant.id, invoice.id, record, NOW)


async def transfer(database: Database, tenant: Tenant, settings: Settings) -> Payment:
    invoice = await last_invoice(database, tenant, settings)
    [payment] = [payment for payment in invoice.payments if payment.method == "transfer"]
    return payment


async def holdings(database: Database, tenant: Tenant, at: datetime = NOW) -> tuple[str, str]:
    """The customer's balance, and what it can spend of the wallet; the books agree."""
    async with database.begin() as connection:
        account = await account_balance(connection, tenant, at)
        wallet = await wallet_balance(connection, tenant, at)
        months = MARCH.date(), MARCH.date().replace(year=2027)
        assert await reconcile(connection, tenant, *months, at) == {}
    return str(account.balance.amount), f"{wallet.spendable:.2f}"


def kept(note: CreditNote) -> tuple[str, str]:
    assert note.to_credit is not None
    return str(note.to_balance.amount), str(note.to_credit.amount)


async def test_a_credit_note_gives_back_to_the_grant_what_it_had_paid(
    database: Database, tenant: Tenant, settings: Settings
) -> None:
    await give(database, tenant, amount="50")
    invoice = await billed(database, tenant, settings)
    assert [(str(part.amount.amount), part.method) for part in invoice.payments] == [
        ("31.00", "credit")
    ]
    note = await credited(database, tenant, settings, invoice)
    assert kept(note) == ("0.00", "31.00")
    assert await holdings(database, tenant) == ("0.00", "50.00")


async def test_money_goes_back_before_what_was_given(
    database: Database, tenant: Tenant, settings: Settings
) -> None:
    await give(database, tenant, amount="20")
    invoice = await billed(database, tenant, settings)
    await paid(database, tenant, invoice)
    notes = [await credited(database, tenant, settings, invoice, part) for part in ("6", "8", "17")]
    assert [kept(note) for note in notes] == [
        ("6.00", "0.00"),
        ("5.00", "3.00"),
        ("0.00", "17.00"),
    ]
    assert await holdings(database, tenant) == ("11.00", "20.00")


async def test_a_part_of_a_cent_that_was_given_becomes_no_balance(
    database: Database, tenant: Tenant, settings: Settings
) -> None:
    await give(database, tenant, amount="20.004")
    await give(database, tenant, kind="paid", amount="50")
    invoice = await billed(database, tenant, settings)
    note = await credited(database, tenant, settings, invoice)
    assert kept(note) == ("11.00", "20.00")
    assert await holdings(database, tenant) == ("11.00", "59.00")


async def test_what_was_given_is_not_refunded_as_money(
    database: Database, tenant: Tenant, settings: Settings
) -> None:
    await give(database, tenant, amount="20")
    invoice = await billed(database, tenant, settings)
    await paid(database, tenant, invoice)
    payment = await transfer(database, tenant, settings)
    async with database.begin() as connection:
        wanted = PaymentRefund.model_validate({"amount": "11.00", "reference": "r1"})
        of = settings, tenant, invoice.id, payment.id
        await refund_payment(connection, *of, wanted, NOW)
    assert await holdings(database, tenant) == ("0.00", "0.00")
    wanted = PaymentRefund.model_validate({"amount": "1.00", "reference": "r2"})
    async with database.begin() as connection:
        with pytest.raises(FareboxError):
            await refund_payment(connection, *of, wanted, NOW)
    await credited(database, tenant, settings, invoice, "20")
    assert await holdings(database, tenant) == ("0.00", "20.00")


async def test_a_payment_that_is_returned_leaves_nothing_of_what_was_given_on_the_balance(
    database: Database, tenant: Tenant, settings: Settings
) -> None:
    await give(database, tenant, amount="20")
    invoice = await billed(database, tenant, settings)
    wanted = {"amount": "31.00", "method": "transfer", "reference": "1", "excess": "balance"}
    async with database.begin() as connection:
        record = PaymentRecord.model_validate(wanted)
        await record_payment(connection, tenant.id, invoice.id, record, NOW)
    assert await holdings(database, tenant) == ("20.00", "0.00")
    payment = await transfer(database, tenant, settings)
    async with database.begin() as connection:
        back = PaymentReturn(reference="back")
        await return_payment(connection, tenant, invoice.id, payment.id, back, NOW)
    assert await holdings(database, tenant) == ("0.00", "0.00")
    after = await last_invoice(database, tenant, settings)
    assert (str(after.paid.amount), str(after.due.amount)) == ("20.00", "11.00")


async def test_a_void_invoice_gives_back_what_was_given(
    database: Database, tenant: Tenant, settings: Settings
) -> None:
    await give(database, tenant, amount="20")
    invoice = await billed(database, tenant, settings)
    async with database.begin() as connection:
        wanted = VoidInvoice(reason="Not wanted")
        await void(connection, settings, tenant, invoice.id, wanted, NOW)
    assert await holdings(database, tenant) == ("0.00", "20.00")


@pytest.mark.parametrize("expires_at", [None, APRIL + timedelta(days=10)])
async def test_an_invoice_that_is_issued_again_is_paid_by_the_same_credit_though_it_is_over(
    database: Database, tenant: Tenant, settings: Settings, expires_at: datetime | None
) -> None:
    await give(database, tenant, amount="20", expires_at=expires_at)
    invoice = await billed(database, tenant, settings)
    await keep_wallets(database, LATER)
    async with database.begin() as connection:
        wanted = VoidInvoice(reason="Wrong name", reissue=True)
        again = await void(connection, settings, tenant, invoice.id, wanted, LATER)
    reissued = await last_invoice(database, tenant, settings)
    assert (reissued.id, str(reissued.due.amount)) == (again, "11.00")
    assert await holdings(database, tenant, LATER) == ("0.00", "0.00")


@pytest.mark.parametrize("expires_at", [None, APRIL + timedelta(days=10)])
async def test_a_credit_note_that_is_taken_back_takes_the_credit_again_though_it_is_over(
    database: Database, tenant: Tenant, settings: Settings, expires_at: datetime | None
) -> None:
    await give(database, tenant, amount="20", expires_at=expires_at)
    invoice = await billed(database, tenant, settings)
    await paid(database, tenant, invoice)
    note = await credited(database, tenant, settings, invoice)
    assert kept(note) == ("11.00", "20.00")
    await keep_wallets(database, LATER)
    async with database.begin() as connection:
        wanted = CreditNoteReversal(reason="It was right")
        await reverse_credit_note(connection, settings, tenant, note.id, wanted, LATER)
    reversal = await last_invoice(database, tenant, settings)
    assert (reversal.kind, str(reversal.due.amount)) == ("reversal", "0.00")
    assert await holdings(database, tenant, LATER) == ("0.00", "0.00")


async def test_a_months_credit_that_goes_back_pays_no_other_month(
    database: Database, tenant: Tenant, settings: Settings
) -> None:
    await give(database, tenant, amount="50", expires_at=APRIL, in_arrears=True)
    invoice = await billed(database, tenant, settings)
    await credited(database, tenant, settings, invoice)
    assert await holdings(database, tenant) == ("0.00", "0.00")
    await run_invoices(database, settings, MAY + GRACE)
    april = await last_invoice(database, tenant, settings)
    assert str(april.due.amount) == "31.00"


async def test_the_books_have_what_was_given_and_went_back(
    database: Database, tenant: Tenant, settings: Settings
) -> None:
    await give(database, tenant, amount="50")
    invoice = await billed(database, tenant, settings)
    await credited(database, tenant, settings, invoice, "10")
    async with database.begin() as connection:
        first, last = MARCH.date(), MAY.date()
        entries, _ = await read_journal(connection, first, last, tenant=tenant.id)
    given = [
        line.amount
        for entry in entries
        for line in entry.lines
        if line.account == CHART.promotional_credit
    ]
    assert sum(given) == 21
