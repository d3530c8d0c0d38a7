"""Invoices as the API shows them: the issued ones, and the draft of the next."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any

from sqlalchemy import RowMapping, Table, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.catalog.published import plan_names
from backend.invoices.drafts.billing_cursors import unbilled
from backend.invoices.drafts.previewing import TaxPreview, draft_invoice
from backend.invoices.errors import CreditNoteNotFound, InvoiceNotFound
from backend.invoices.from_rows import (
    credit_note_from,
    line_from,
    paid_before_credit,
    payment_from,
    summary_from,
)
from backend.invoices.issuing.issuing import OWN_METHODS, TOP_UP
from backend.kit.errors import InvalidCursor
from backend.kit.pages import Cursor, page_of
from backend.pricing.money import ZERO, money
from backend.settings import Settings
from backend.storage.database import Database
from backend.storage.tables import (
    credit_notes,
    invoice_lines,
    invoice_reminders,
    invoices,
    payments,
)
from backend_client.types.common import Page
from backend_client.types.invoices import (
    CreditNote,
    Invoice,
    InvoiceState,
    InvoiceSummary,
    Party,
    Reminder,
    Tax,
)
from backend_client.types.tax_service import TaxQuestion


async def list_invoices(
    connection: AsyncConnection,
    settings: Settings,
    tenant_id: str,
    now: datetime,
    *,
    cursor: str | None,
    limit: int,
) -> Page[InvoiceSummary]:
    """Return a page of a tenant's invoices, the draft of the next first, then newest first."""
    page, _ = await _list(connection, settings, tenant_id, now, cursor=cursor, limit=limit)
    return page


async def read_invoices(
    database: Database,
    settings: Settings,
    preview: TaxPreview,
    tenant_id: str,
    now: datetime,
    *,
    cursor: str | None,
    limit: int,
) -> Page[InvoiceSummary]:
    """Return what ``list_invoices`` does, with the draft's tax as a tax service answers it."""
    async with database.begin() as connection:
        page, question = await _list(
            connection, settings, tenant_id, now, cursor=cursor, limit=limit
        )
    if question is None:
        return page
    first, *others = page.items
    return page.model_copy(update={"items": [await preview.complete(first, question), *others]})


async def _list(
    connection: AsyncConnection,
    settings: Settings,
    tenant_id: str,
    now: datetime,
    *,
    cursor: str | None,
    limit: int,
) -> tuple[Page[InvoiceSummary], TaxQuestion | None]:
    query = (
        select(invoices)
        .where(invoices.c.tenant_id == tenant_id)
        .order_by(invoices.c.issued_at.desc(), invoices.c.id.desc())
        .limit(limit + 1)
    )
    if cursor is not None:
        query = query.where(tuple_(invoices.c.issued_at, invoices.c.id) < _after(cursor))
    rows = (await connection.execute(query)).mappings().all()
    summaries: list[InvoiceSummary] = [summary_from(row, now) for row in rows]
    question = None
    if cursor is None and (coming := await unbilled(connection, tenant_id)) is not None:
        draft, question = await draft_invoice(connection, settings, coming, now)
        summaries.insert(0, InvoiceSummary.model_validate(draft.model_dump()))
    return page_of(summaries, limit, _sort_key), question


async def find_invoice(
    connection: AsyncConnection, settings: Settings, tenant_id: str, invoice_id: str, now: datetime
) -> Invoice:
    """Return one of a tenant's invoices, or the draft of its next; raise ``NotFound``."""
    invoice, _ = await _find(connection, settings, tenant_id, invoice_id, now)
    return invoice


async def read_invoice(
    database: Database,
    settings: Settings,
    preview: TaxPreview,
    tenant_id: str,
    invoice_id: str,
    now: datetime,
) -> Invoice:
    """Return what ``find_invoice`` does, with a draft's tax as a tax service answers it."""
    async with database.begin() as connection:
        invoice, question = await _find(connection, settings, tenant_id, invoice_id, now)
    return await preview.complete(invoice, question)


async def _find(
    connection: AsyncConnection, settings: Settings, tenant_id: str, invoice_id: str, now: datetime
) -> tuple[Invoice, TaxQuestion | None]:
    query = select(invoices).where(invoices.c.tenant_id == tenant_id, invoices.c.id == invoice_id)
    row = (await connection.execute(query)).mappings().first()
    if row is not None:
        return await _invoice(connection, row, now), None
    coming = await unbilled(connection, tenant_id)
    if coming is None or coming.draft_id != invoice_id:
        raise InvoiceNotFound()
    return await draft_invoice(connection, settings, coming, now)


async def list_credit_notes(
    connection: AsyncConnection, tenant_id: str, *, cursor: str | None, limit: int
) -> Page[CreditNote]:
    """Return a page of a tenant's credit notes, newest first."""
    query = (
        select(credit_notes, invoices.c.currency, invoices.c.number.label("invoice_number"))
        .join(
            invoices,
            (invoices.c.tenant_id == credit_notes.c.tenant_id)
            & (invoices.c.id == credit_notes.c.invoice_id),
        )
        .where(credit_notes.c.tenant_id == tenant_id)
        .order_by(credit_notes.c.issued_at.desc(), credit_notes.c.id.desc())
        .limit(limit + 1)
    )
    if cursor is not None:
        query = query.where(tuple_(credit_notes.c.issued_at, credit_notes.c.id) < _after(cursor))
    rows = (await connection.execute(query)).mappings().all()
    notes = [credit_note_from(row, row["currency"]) for row in rows]
    return page_of(notes, limit, lambda note: f"{note.issued_at.isoformat()} {note.id}")


async def find_credit_note(connection: AsyncConnection, tenant_id: str, note_id: str) -> CreditNote:
    """Return one of a tenant's credit notes; raise ``NotFound``."""
    query = (
        select(credit_notes, invoices.c.currency, invoices.c.number.label("invoice_number"))
        .join(
            invoices,
            (invoices.c.tenant_id == credit_notes.c.tenant_id)
            & (invoices.c.id == credit_notes.c.invoice_id),
        )
        .where(credit_notes.c.tenant_id == tenant_id, credit_notes.c.id == note_id)
    )
    row = (await connection.execute(query)).mappings().first()
    if row is None:
        raise CreditNoteNotFound()
    return credit_note_from(row, row["currency"])


def invoice_version(invoice: Invoice) -> str:
    """Return a digest that changes with any part of an invoice."""
    return blake2b(invoice.model_dump_json().encode(), digest_size=12).hexdigest()


def as_printed(invoice: Invoice) -> Invoice:
    """Return an invoice as it was issued, with what balance and credit paid then.

    Later payments, credit notes and reminders are left out.
    """
    currency = invoice.total.currency
    at_once = [
        payment
        for payment in invoice.payments
        if payment.method == TOP_UP
        or (payment.method in OWN_METHODS and payment.reference == invoice.number)
    ]
    paid = sum((payment.amount.amount for payment in at_once), ZERO)
    kept = {InvoiceState.DRAFT, InvoiceState.VOID}
    return invoice.model_copy(
        update={
            "state": invoice.state if invoice.state in kept else InvoiceState.FINALIZED,
            "due": money(max(invoice.total.amount - paid, ZERO), currency),
            "paid": money(paid, currency),
            "credited": money(ZERO, currency),
            "overdue": False,
            "replaced_by": None,
            "payments": at_once,
            "credit_notes": [],
            "reminders": [],
        }
    )


async def _invoice(connection: AsyncConnection, row: RowMapping, now: datetime) -> Invoice:
    currency = row["currency"]
    lines = await _rows_of(connection, invoice_lines, row, invoice_lines.c.line)
    paid = await _rows_of(connection, payments, row, payments.c.id)
    notes = await _rows_of(connection, credit_notes, row, credit_notes.c.id)
    reminders = await _rows_of(connection, invoice_reminders, row, invoice_reminders.c.at)
    names = await plan_names(connection, ((line["plan"], line["plan_version"]) for line in lines))
    return Invoice(
        **summary_from(row, now).model_dump(),
        seller=Party.model_validate(row["seller"]),
        customer=Party.model_validate(row["customer"]),
        lines=[line_from(line, row, names) for line in lines],
        subtotal=money(row["subtotal"], currency),
        tax_date=row["tax_date"],
        taxes=[Tax.model_validate(tax) for tax in row["taxes"]],
        tax_notes=row["tax_notes"],
        paid=money(paid_before_credit(row["paid"], paid, notes), currency),
        credited=money(row["credited"], currency),
        payment_note=row["payment_note"],
        replaces=row["replaces"],
        replaced_by=row["replaced_by"],
        reverses=row["reverses"],
        payments=[payment_from(payment, currency) for payment in paid],
        credit_notes=[
            credit_note_from({**note, "invoice_number": row["number"]}, currency) for note in notes
        ],
        reminders=[Reminder(step=reminder["step"], at=reminder["at"]) for reminder in reminders],
    )


async def _rows_of(
    connection: AsyncConnection, table: Table, row: RowMapping, order: Any
) -> Sequence[RowMapping]:
    query = (
        select(table)
        .where(table.c.tenant_id == row["tenant_id"], table.c.invoice_id == row["id"])
        .order_by(order)
    )
    return (await connection.execute(query)).mappings().all()


def _sort_key(summary: InvoiceSummary) -> str:
    # After the draft comes the newest issued invoice.
    issued = summary.issued_at or datetime.max.replace(tzinfo=UTC)
    return f"{issued.isoformat()} {summary.id}"


def _after(cursor: str) -> Any:
    issued, _, invoice_id = Cursor.read(cursor).partition(" ")
    try:
        return tuple_(datetime.fromisoformat(issued), invoice_id)
    except ValueError:
        raise InvalidCursor() from None
