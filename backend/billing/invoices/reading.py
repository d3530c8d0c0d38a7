"""Invoices as the API tells them: issued ones as they stand, and the draft of what comes next."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from hashlib import blake2b
from typing import Any

from sqlalchemy import RowMapping, Table, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.accounts.pages import Cursor, page_of
from backend.billing.invoices.composing import ComposedLine, total_of
from backend.billing.invoices.cursors import Unbilled, unbilled
from backend.billing.invoices.drafting import draft, ground
from backend.billing.invoices.issuing import OWN_METHODS
from backend.billing.invoices.lifecycle import Balance, due
from backend.billing.invoices.parties import on_top, seller
from backend.errors import InvalidInput, NotFound
from backend.pricing.money import round_to_minor_unit
from backend.settings import Settings
from backend.storage.tables import (
    credit_notes,
    invoice_lines,
    invoice_reminders,
    invoices,
    payments,
)
from backend_client.types.common import Money, Page
from backend_client.types.invoices import (
    CreditedLine,
    CreditNote,
    Invoice,
    InvoiceKind,
    InvoiceLine,
    InvoiceState,
    InvoiceSummary,
    Party,
    Payment,
    Reminder,
    Tax,
)
from backend_client.types.problems import FieldError
from backend_client.types.spend import Period, SpendLine

_ZERO = Decimal(0)

_DRAFT_LOOKS_BACK = 1
"""Periods in which a draft that is only looked at finds late usage; finalising looks at all."""


async def list_invoices(
    connection: AsyncConnection,
    settings: Settings,
    tenant_id: str,
    now: datetime,
    *,
    cursor: str | None,
    limit: int,
) -> Page[InvoiceSummary]:
    """Return a page of a tenant's invoices, newest first; the draft of the next goes before all."""
    query = (
        select(invoices)
        .where(invoices.c.tenant_id == tenant_id)
        .order_by(invoices.c.issued_at.desc(), invoices.c.id.desc())
        .limit(limit + 1)
    )
    if cursor is not None:
        query = query.where(tuple_(invoices.c.issued_at, invoices.c.id) < _after(cursor))
    rows = (await connection.execute(query)).mappings().all()
    found: list[InvoiceSummary] = [_summary(row, now) for row in rows]
    if cursor is None and (one := await unbilled(connection, tenant_id)) is not None:
        coming = await _draft(connection, settings, one, now)
        found.insert(0, InvoiceSummary.model_validate(coming.model_dump()))
    return page_of(found, limit, _sort_key)


async def find_invoice(
    connection: AsyncConnection, settings: Settings, tenant_id: str, invoice_id: str, now: datetime
) -> Invoice:
    """Return one of a tenant's invoices, or the draft of its next; raise ``NotFound``."""
    query = select(invoices).where(invoices.c.tenant_id == tenant_id, invoices.c.id == invoice_id)
    row = (await connection.execute(query)).mappings().first()
    if row is not None:
        return await _invoice(connection, row, now)
    one = await unbilled(connection, tenant_id)
    if one is None or one.draft_id != invoice_id:
        raise NotFound("There is no such invoice.")
    return await _draft(connection, settings, one, now)


async def find_credit_note(connection: AsyncConnection, tenant_id: str, note_id: str) -> CreditNote:
    """Return one of a tenant's credit notes; raise ``NotFound``."""
    query = (
        select(credit_notes, invoices.c.currency)
        .join(
            invoices,
            (invoices.c.tenant_id == credit_notes.c.tenant_id)
            & (invoices.c.id == credit_notes.c.invoice_id),
        )
        .where(credit_notes.c.tenant_id == tenant_id, credit_notes.c.id == note_id)
    )
    row = (await connection.execute(query)).mappings().first()
    if row is None:
        raise NotFound("There is no such credit note.")
    return _credit_note(row, row["currency"])


def invoice_version(invoice: Invoice) -> str:
    """Return a word that changes with all that an invoice tells."""
    return blake2b(invoice.model_dump_json().encode(), digest_size=12).hexdigest()


def as_printed(invoice: Invoice) -> Invoice:
    """Return an invoice as it was issued, with what balance and credit paid of it at once.

    What was paid, credited and reminded since is left out.
    """
    currency = invoice.total.currency
    at_once = [
        one
        for one in invoice.payments
        if one.method in OWN_METHODS and one.reference == invoice.number
    ]
    paid = sum((one.amount.amount for one in at_once), _ZERO)
    kept = {InvoiceState.DRAFT, InvoiceState.VOID}
    return invoice.model_copy(
        update={
            "state": invoice.state if invoice.state in kept else InvoiceState.FINALISED,
            "due": _money(max(invoice.total.amount - paid, _ZERO), currency),
            "paid": _money(paid, currency),
            "credited": _money(_ZERO, currency),
            "overdue": False,
            "replaced_by": None,
            "payments": at_once,
            "credit_notes": [],
            "reminders": [],
        }
    )


async def _draft(
    connection: AsyncConnection, settings: Settings, one: Unbilled, now: datetime
) -> Invoice:
    known = await ground(connection, [one], now, settings, looking_back=_DRAFT_LOOKS_BACK)
    made = await draft(connection, one, known, now)
    currency = one.tenant.currency
    subtotal = total_of(made.lines)
    taxes = one.profile.taxes(subtotal, currency)

    return Invoice(
        id=one.draft_id,
        number=None,
        kind=InvoiceKind.PERIOD,
        state=InvoiceState.DRAFT,
        period=Period(start=one.period.start, end=one.period.end, time_zone=one.period.time_zone),
        issued_at=None,
        due_at=None,
        finalises_at=one.period.end + timedelta(hours=settings.invoice_grace_hours),
        total=_money(subtotal + on_top(taxes), currency),
        due=_money(_ZERO, currency),
        seller=seller(settings),
        customer=one.profile.customer(one.tenant),
        lines=[
            _composed(number, line, currency) for number, line in enumerate(made.lines, start=1)
        ],
        subtotal=_money(subtotal, currency),
        taxes=taxes,
        paid=_money(_ZERO, currency),
        credited=_money(_ZERO, currency),
        payment_note=settings.invoice_payment_note,
    )


def _composed(number: int, line: ComposedLine, currency: str) -> InvoiceLine:
    return InvoiceLine(
        line=number,
        kind=line.of.kind,
        name=line.name,
        period=line.period,
        late=line.late,
        plan=line.of.plan,
        plan_version=line.of.plan_version,
        quantity=line.quantity,
        charge=line.charge,
        before=None if line.before is None else _money(line.before, currency),
        exact=line.exact,
        amount=_money(line.amount, currency),
    )


async def _invoice(connection: AsyncConnection, row: RowMapping, now: datetime) -> Invoice:
    currency = row["currency"]
    lines = await _of(connection, invoice_lines, row, invoice_lines.c.line)
    paid = await _of(connection, payments, row, payments.c.id)
    notes = await _of(connection, credit_notes, row, credit_notes.c.id)
    reminders = await _of(connection, invoice_reminders, row, invoice_reminders.c.at)
    return Invoice(
        **_summary(row, now).model_dump(),
        seller=Party.model_validate(row["seller"]),
        customer=Party.model_validate(row["customer"]),
        lines=[_line(line, row) for line in lines],
        subtotal=_money(row["subtotal"], currency),
        taxes=[Tax.model_validate(tax) for tax in row["taxes"]],
        paid=_money(row["paid"], currency),
        credited=_money(row["credited"], currency),
        payment_note=row["payment_note"],
        replaces=row["replaces"],
        replaced_by=row["replaced_by"],
        payments=[_payment(one, currency) for one in paid],
        credit_notes=[_credit_note(one, currency) for one in notes],
        reminders=[Reminder(step=one["step"], at=one["at"]) for one in reminders],
    )


async def _of(
    connection: AsyncConnection, table: Table, row: RowMapping, order: Any
) -> Sequence[RowMapping]:
    query = (
        select(table)
        .where(table.c.tenant_id == row["tenant_id"], table.c.invoice_id == row["id"])
        .order_by(order)
    )
    return (await connection.execute(query)).mappings().all()


def _summary(row: RowMapping, now: datetime) -> InvoiceSummary:
    state = InvoiceState(row["state"])
    left = due(state, Balance(row["total"], row["paid"], row["credited"]))
    return InvoiceSummary(
        id=row["id"],
        number=row["number"],
        kind=InvoiceKind(row["kind"]),
        state=state,
        period=Period(start=row["period_start"], end=row["period_end"], time_zone=row["time_zone"]),
        issued_at=row["issued_at"],
        due_at=row["due_at"],
        total=_money(row["total"], row["currency"]),
        due=_money(left, row["currency"]),
        overdue=left > 0 and row["due_at"] < now,
    )


def _line(line: RowMapping, invoice: RowMapping) -> InvoiceLine:
    currency = invoice["currency"]
    before = line["before"]
    return InvoiceLine(
        line=line["line"],
        kind=line["kind"],
        name=line["name"],
        period=Period(
            start=line["period_start"], end=line["period_end"], time_zone=invoice["time_zone"]
        ),
        late=line["late"],
        plan=line["plan"],
        plan_version=line["plan_version"],
        quantity=line["quantity"],
        charge=None if line["charge"] is None else SpendLine.model_validate(line["charge"]),
        before=None if before is None else _money(before, currency),
        exact=line["exact"],
        amount=_money(line["amount"], currency),
    )


def _money(amount: Decimal, currency: str) -> Money:
    """An amount with all the decimals of its currency, however it was written down."""
    return Money(amount=round_to_minor_unit(amount, currency), currency=currency)


def _payment(row: RowMapping, currency: str) -> Payment:
    return Payment(
        id=row["id"],
        amount=_money(row["amount"], currency),
        method=row["method"],
        reference=row["reference"],
        received_at=row["received_at"],
    )


def _credit_note(row: RowMapping, currency: str) -> CreditNote:
    return CreditNote(
        id=row["id"],
        number=row["number"],
        invoice_id=row["invoice_id"],
        reason=row["reason"],
        lines=[
            CreditedLine(line=line["line"], amount=_money(Decimal(line["amount"]), currency))
            for line in row["lines"]
        ],
        subtotal=_money(row["subtotal"], currency),
        tax=_money(row["tax"], currency),
        total=_money(row["total"], currency),
        to_balance=_money(row["to_balance"], currency),
        issued_at=row["issued_at"],
    )


def _sort_key(one: InvoiceSummary) -> str:
    # A page that ends with the draft goes on with the newest that is issued.
    issued = one.issued_at or datetime.max.replace(tzinfo=UTC)
    return f"{issued.isoformat()} {one.id}"


def _after(cursor: str) -> Any:
    issued, _, invoice_id = Cursor.read(cursor).partition(" ")
    try:
        return tuple_(datetime.fromisoformat(issued), invoice_id)
    except ValueError:
        raise InvalidInput(
            "The cursor is not one that a page gave.",
            errors=[FieldError(field="cursor", detail="use next_cursor of the page before")],
        ) from None
