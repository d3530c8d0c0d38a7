"""Payments, credit notes, void and issued again, the customer's balance, dunning."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from decimal import Decimal

import pytest
from sqlalchemy import func, select

from backend.customers.profiles import set_details, set_terms
from backend.customers.suspension import is_suspended
from backend.errors import InvalidInput
from backend.invoices.corrections.credit_notes import credit
from backend.invoices.corrections.voiding import void
from backend.invoices.errors import (
    InvoiceAlreadyPaid,
    InvoiceFullyCredited,
    InvoiceHasPayments,
    InvoiceVoid,
    PaymentReferenceReused,
)
from backend.invoices.issuing.issuing import balances_of
from backend.invoices.payments.reminders import remind
from backend.invoices.queries import find_credit_note, find_invoice, list_invoices
from backend.invoices.settling import record_payment, write_off
from backend.settings import Settings
from backend.storage.database import Database
from backend.storage.tables import payments
from backend_client.types.accounts import Tenant
from backend_client.types.invoices import (
    BillingDetails,
    BillingTerms,
    CreditNote,
    CreditNoteCreate,
    Invoice,
    PaymentRecord,
    VoidInvoice,
)
from tests.support.invoices import APRIL, GRACE, MARCH, MAY, count, invoices_of, run_invoices, used

pytestmark = pytest.mark.engine

NOW = APRIL + timedelta(days=3)
ALL = CreditNoteCreate(reason="a mistake")


@pytest.fixture
async def invoice(database: Database, tenant: Tenant, settings: Settings) -> Invoice:
    """31.00 and 0.19, with 19% tax on top: 37.12."""
    async with database.begin() as connection:
        await set_terms(connection, tenant.id, BillingTerms(tax_name="VAT", tax_percent=19))
    await count(database, [used(tenant, MARCH, 1_234_567)])
    await run_invoices(database, settings, APRIL + GRACE)
    [row] = await invoices_of(database, tenant)
    return await read(database, tenant, settings, str(row["id"]))


async def read(database: Database, tenant: Tenant, settings: Settings, invoice_id: str) -> Invoice:
    async with database.begin() as connection:
        return await find_invoice(connection, settings, tenant.id, invoice_id, NOW)


async def pay(database: Database, invoice: Invoice, tenant: Tenant, amount: str, ref: str) -> None:
    async with database.begin() as connection:
        paid = PaymentRecord(amount=Decimal(amount), method="transfer", reference=ref)
        await record_payment(connection, tenant.id, invoice.id, paid, NOW)


async def note(
    database: Database,
    settings: Settings,
    tenant: Tenant,
    invoice: Invoice,
    wanted: CreditNoteCreate = ALL,
    key: str | None = None,
) -> CreditNote:
    async with database.begin() as connection:
        note_id = await credit(
            connection, settings, tenant, invoice.id, wanted, NOW, idempotency_key=key
        )
        return await find_credit_note(connection, tenant.id, note_id)


def lines(*wanted: tuple[int, str | None]) -> CreditNoteCreate:
    return CreditNoteCreate.model_validate(
        {"reason": "slow", "lines": [{"line": line, "amount": amount} for line, amount in wanted]}
    )


async def test_an_invoice_is_read_with_its_tax(invoice: Invoice) -> None:
    assert [str(line.amount.amount) for line in invoice.lines] == ["31.00", "0.19"]
    assert {(line.plan, line.plan_name) for line in invoice.lines} == {("paid", "Paid")}
    assert (str(invoice.subtotal.amount), str(invoice.total.amount)) == ("31.19", "37.12")
    [tax] = invoice.taxes
    assert (tax.name, str(tax.amount.amount), tax.inclusive) == ("VAT", "5.93", False)
    assert (invoice.due, invoice.overdue) == (invoice.total, False)


async def test_payments_settle_it_once_each(
    database: Database, tenant: Tenant, settings: Settings, invoice: Invoice
) -> None:
    for _ in range(2):  # the same reference is the same payment
        await pay(database, invoice, tenant, "30.12", "ref-1")
    part = await read(database, tenant, settings, invoice.id)
    assert (str(part.due.amount), part.state) == ("7.00", "finalized")
    with pytest.raises(PaymentReferenceReused, match=r"30\.12"):
        await pay(database, invoice, tenant, "5", "ref-1")
    for amount, code in (("7.01", "amount_over_due"), ("0.001", "too_many_decimals")):
        with pytest.raises(InvalidInput) as refused:
            await pay(database, invoice, tenant, amount, "ref-2")
        assert refused.value.code == code
        assert [error.field for error in refused.value.errors] == ["amount"]
    await pay(database, invoice, tenant, "7", "ref-2")
    paid = await read(database, tenant, settings, invoice.id)
    assert (str(paid.due.amount), paid.state, len(paid.payments)) == ("0.00", "paid", 2)
    await pay(database, invoice, tenant, "7", "ref-2")
    with pytest.raises(InvoiceAlreadyPaid, match="it is paid"):
        await pay(database, invoice, tenant, "1", "ref-3")


async def test_racing_payments_never_pay_too_much(
    database: Database, tenant: Tenant, settings: Settings, invoice: Invoice
) -> None:
    outcomes = await asyncio.gather(
        *(pay(database, invoice, tenant, "10", f"ref-{number}") for number in range(8)),
        return_exceptions=True,
    )
    assert sum(outcome is None for outcome in outcomes) == 3
    after = await read(database, tenant, settings, invoice.id)
    assert (str(after.paid.amount), str(after.due.amount)) == ("30.00", "7.12")
    async with database.begin() as connection:
        assert await connection.scalar(select(func.sum(payments.c.amount))) == 30


async def test_credit_notes_by_line_add_up_to_the_whole(
    database: Database, tenant: Tenant, settings: Settings, invoice: Invoice
) -> None:
    first = await note(database, settings, tenant, invoice, lines((1, "10.01")))
    assert first.number == f"FB-{tenant.slug}-CN-000001"
    assert (str(first.subtotal.amount), str(first.tax.amount)) == ("10.01", "1.90")
    assert str(first.to_balance.amount) == "0.00"
    for wanted, field, code in (
        (lines((1, "21")), "lines.0.amount", "amount_over_creditable"),
        (lines((1, "0.001")), "lines.0.amount", "too_many_decimals"),
        (lines((9, None)), "lines.0.line", "invalid_input"),
        (lines((2, None), (2, None)), "lines.1.line", "invalid_input"),
    ):
        with pytest.raises(InvalidInput) as refused:
            await note(database, settings, tenant, invoice, wanted)
        assert [error.field for error in refused.value.errors] == [field]
        assert refused.value.code == code
    await note(database, settings, tenant, invoice, lines((2, None)))
    rest = await note(database, settings, tenant, invoice)
    assert [(line.line, str(line.amount.amount)) for line in rest.lines] == [(1, "20.99")]
    after = await read(database, tenant, settings, invoice.id)
    # The taxes of three notes, each rounded, are the tax of the invoice
    assert sum(credit_note.tax.amount for credit_note in after.credit_notes) == Decimal("5.93")
    assert sum(credit_note.total.amount for credit_note in after.credit_notes) == after.total.amount
    assert (str(after.due.amount), after.state) == ("0.00", "paid")
    with pytest.raises(InvoiceFullyCredited, match="Nothing is left"):
        await note(database, settings, tenant, invoice)


async def test_credit_on_what_was_paid_goes_to_the_balance_and_pays_the_next(
    database: Database, tenant: Tenant, settings: Settings, invoice: Invoice
) -> None:
    await pay(database, invoice, tenant, "37.12", "ref-1")
    notes = [await note(database, settings, tenant, invoice, key="once") for _ in range(2)]
    assert notes[0] == notes[1]
    assert notes[0].to_balance == notes[0].total == invoice.total
    first = await read(database, tenant, settings, invoice.id)
    assert (first.state, first.paid, first.credited) == ("paid", invoice.total, invoice.total)
    async with database.begin() as connection:
        assert await balances_of(connection, [tenant.id]) == {tenant.id: Decimal("37.12")}
    await run_invoices(database, settings, MAY + GRACE)  # 31.00 and tax: 36.89
    _, row = await invoices_of(database, tenant)
    second = await read(database, tenant, settings, str(row["id"]))
    assert (second.state, str(second.paid.amount), str(second.due.amount)) == (
        "paid",
        "36.89",
        "0.00",
    )
    assert [payment.method for payment in second.payments] == ["balance"]
    async with database.begin() as connection:
        assert await balances_of(connection, [tenant.id]) == {tenant.id: Decimal("0.23")}


async def test_void_and_issued_again_is_the_same_total(
    database: Database, tenant: Tenant, settings: Settings, invoice: Invoice
) -> None:
    async with database.begin() as connection:
        await set_details(connection, tenant.id, BillingDetails(name="Sample Ltd", address=["1"]))
        await set_terms(connection, tenant.id, BillingTerms())
    wanted = VoidInvoice(reason="the name was wrong", reissue=True)

    async def again() -> str:
        async with database.begin() as connection:
            return await void(connection, settings, tenant, invoice.id, wanted, NOW)

    ids = await asyncio.gather(*(again() for _ in range(3)))
    assert len(set(ids)) == 1
    old = await read(database, tenant, settings, invoice.id)
    new = await read(database, tenant, settings, ids[0])
    assert (old.state, str(old.due.amount), old.replaced_by) == ("void", "0.00", new.id)
    assert (new.state, new.replaces, new.number) == (
        "finalized",
        old.id,
        f"FB-{tenant.slug}-000002",
    )
    assert (new.lines, new.taxes, new.total) == (old.lines, old.taxes, old.total)
    assert new.customer.name == "Sample Ltd"
    with pytest.raises(InvoiceVoid, match="it is void"):
        await pay(database, invoice, tenant, "1", "ref-1")
    with pytest.raises(InvoiceVoid, match="void"):
        await note(database, settings, tenant, invoice)


async def test_what_was_paid_can_not_be_void(
    database: Database, tenant: Tenant, settings: Settings, invoice: Invoice
) -> None:
    await pay(database, invoice, tenant, "1", "ref-1")
    async with database.begin() as connection:
        with pytest.raises(InvoiceHasPayments, match="credit note"):
            await void(connection, settings, tenant, invoice.id, VoidInvoice(reason="x"), NOW)


async def test_a_written_off_invoice_can_still_be_paid(
    database: Database, tenant: Tenant, settings: Settings, invoice: Invoice
) -> None:
    for _ in range(2):
        async with database.begin() as connection:
            await write_off(connection, tenant.id, invoice.id, NOW)
    lost = await read(database, tenant, settings, invoice.id)
    assert (lost.state, lost.due) == ("uncollectible", invoice.total)
    await pay(database, invoice, tenant, "37.12", "ref-1")
    assert (await read(database, tenant, settings, invoice.id)).state == "paid"


async def test_reminders_come_on_their_days_once(
    database: Database, tenant: Tenant, settings: Settings, invoice: Invoice
) -> None:
    due_at = invoice.due_at
    assert due_at is not None

    async def steps(days: float) -> list[str]:
        async with database.begin() as connection:
            taken = await remind(connection, settings, due_at + timedelta(days=days))
        return [step.step for step in taken]

    async def suspended() -> bool:
        async with database.begin() as connection:
            return await is_suspended(connection, tenant.id)

    assert await steps(0.99) == []
    assert await asyncio.gather(*(steps(1) for _ in range(3))) in (
        [["remind"], [], []],
        [[], ["remind"], []],
        [[], [], ["remind"]],
    )
    assert not await suspended()
    assert await steps(30) == ["warn", "suspend"]
    assert await suspended()
    reminded = await read(database, tenant, settings, invoice.id)
    assert {reminder.step for reminder in reminded.reminders} == {"remind", "warn", "suspend"}
    await pay(database, invoice, tenant, "37.12", "ref-1")
    assert not await suspended()
    assert await steps(60) == []


async def test_the_list_begins_with_the_draft_and_has_pages(
    database: Database, tenant: Tenant, settings: Settings, invoice: Invoice
) -> None:
    await run_invoices(database, settings, MAY + GRACE)
    seen = []
    cursor = None
    while True:
        async with database.begin() as connection:
            page = await list_invoices(connection, settings, tenant.id, NOW, cursor=cursor, limit=1)
        seen += page.items
        cursor = page.next_cursor
        if cursor is None:
            break
    assert [(invoice.state, invoice.number and invoice.number[-1]) for invoice in seen] == [
        ("draft", None),
        ("finalized", "2"),
        ("finalized", "1"),
    ]
    draft = await read(database, tenant, settings, seen[0].id)
    assert (draft.period.start, str(draft.total.amount)) == (MAY, "36.89")
    assert draft.finalizes_at == draft.period.end + GRACE
