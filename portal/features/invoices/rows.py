"""Invoices and their lines as tables show them. Plain functions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from backend_client.types.balance import AccountBalance
from backend_client.types.charges import Cadence
from backend_client.types.common import plain
from backend_client.types.invoices import (
    AFTER_TAX,
    CreditNote,
    Invoice,
    InvoiceLine,
    InvoiceState,
    LineEvent,
)
from portal.kit.formatting import count, exact_money, money, period, second
from portal.kit.formatting import date as written_date
from portal.shared.charges.rows import (
    ADJUSTMENTS,
    line_detail,
    line_price,
    line_quantity,
    plan_name,
)
from portal.shared.events.rows import quantities_note


@dataclass(frozen=True)
class InvoiceLineRow:
    """A line of an invoice; ``steps`` is how it came to its amount.

    ``has_events`` says that usage made it, event by event.
    """

    number: str
    name: str
    detail: str
    plan: str
    quantity: str
    price: str
    amount: str
    steps: list[str] = field(default_factory=list)
    has_events: bool = False


@dataclass(frozen=True)
class LineEventRow:
    """An event behind a line."""

    id: str
    source: str
    day: str
    time: str
    model: str
    quantities: str


@dataclass(frozen=True)
class SumRow:
    """A line under the lines: the subtotal, a tax or what is said of it, what was paid."""

    name: str
    amount: str


@dataclass(frozen=True)
class CreditNoteRow:
    """A credit note in the list; ``kept`` says what of it was given back."""

    id: str
    name: str
    of: str
    reason: str
    issued: str
    total: str
    kept: str


def credit_note_row(note: CreditNote, time_zone: str) -> CreditNoteRow:
    """A credit note as the list shows it."""
    currency = note.total.currency
    return CreditNoteRow(
        id=note.id,
        name=note.number,
        of=f"of {note.invoice_number}",
        reason=note.reason,
        issued=written_date(note.issued_at, time_zone),
        total=money(note.total.amount, currency),
        kept=", ".join(
            f"{money(part.amount, currency)}{where}"
            for part, where in ((note.to_balance, ""), (note.to_credit, " to credit"))
            if part is not None and part.amount
        ),
    )


def owed_note(account: AccountBalance, time_zone: str) -> str:
    """What is said below the amount that is owed."""
    if not account.owed.amount or account.next_due_at is None:
        return "Nothing to pay"
    if account.overdue.amount:
        overdue = money(account.overdue.amount, account.overdue.currency)
        return f"{overdue} of it is overdue"
    return f"Due on {written_date(account.next_due_at, time_zone)}"


def line_rows(invoice: Invoice) -> list[InvoiceLineRow]:
    """The lines of an invoice."""
    currency = invoice.total.currency
    return [_line_row(line, currency) for line in invoice.lines if line.kind not in AFTER_TAX]


def line_event_row(event: LineEvent, time_zone: str) -> LineEventRow:
    """An event as the list behind a line shows it."""
    day, _, time = second(event.time, time_zone).rpartition(", ")
    return LineEventRow(
        id=event.id,
        source=event.source,
        day=day,
        time=time,
        model=event.model,
        quantities=quantities_note(event.quantities),
    )


def archived_note(days: Sequence[date]) -> str:
    """Which events are not listed because they are archived; empty if there are none."""
    if not days:
        return ""
    first, last = f"{days[0]:%Y-%m-%d}", f"{days[-1]:%Y-%m-%d}"
    when = f"of {first}" if len(days) == 1 else f"of {len(days)} days, {first} to {last} (UTC),"
    return f"The events {when} are in archives: they count here, and are not listed."


def sum_rows(invoice: Invoice) -> list[SumRow]:
    """What stands between the lines and the total, and below it."""
    currency = invoice.total.currency
    after_tax = [line for line in invoice.lines if line.kind in AFTER_TAX]
    before_tax = invoice.subtotal.amount - sum(line.amount.amount for line in after_tax)
    rows = [SumRow("Subtotal", money(before_tax, currency))]
    for tax in invoice.taxes:
        name = f"{tax.name} {plain(tax.percent)}% on {money(tax.taxable.amount, currency)}"
        within = ", included" if tax.inclusive else ""
        rows.append(SumRow(name + within, money(tax.amount.amount, currency)))
    rows += [SumRow(note, "") for note in invoice.tax_notes]
    rows += [SumRow(line.name, money(line.amount.amount, currency)) for line in after_tax]
    rows.append(SumRow("Total", money(invoice.total.amount, currency)))
    above = len(rows)
    rows += [
        SumRow(f"Credit note {note.number}: {note.reason}", money(-note.total.amount, currency))
        for note in invoice.credit_notes
    ]
    rows += [
        SumRow(
            _payment(payment.method, payment.amount.amount), money(-payment.amount.amount, currency)
        )
        for payment in invoice.payments
    ]
    if len(rows) > above and invoice.state is not InvoiceState.VOID:
        rows.append(SumRow("To pay", money(invoice.due.amount, currency)))
    return rows


def invoice_note(invoice: Invoice) -> str:
    """What a person should know of an invoice, in a sentence."""
    zone = invoice.period.time_zone
    match invoice.state:
        case InvoiceState.DRAFT:
            until = written_date(invoice.finalizes_at or invoice.period.end, zone)
            return f"Follows usage until the period is over; it is issued after {until}."
        case InvoiceState.VOID:
            replaced = " Another was issued in its place." if invoice.replaced_by else ""
            return f"Void: it is not to be paid.{replaced}"
        case InvoiceState.PAID:
            return "Nothing is left to pay."
        case InvoiceState.UNCOLLECTIBLE:
            return "Written off."
        case InvoiceState.FINALIZED:
            when = written_date(invoice.due_at, zone) if invoice.due_at else ""
            due = money(invoice.due.amount, invoice.due.currency)
            return f"{due} {'was' if invoice.overdue else 'is'} due on {when}."


def _payment(method: str, amount: Decimal) -> str:
    if method == "balance":
        return "From your balance" if amount > 0 else "To your balance"
    if method == "credit":
        return "Paid from your credit"
    return f"Paid by {method}" if amount > 0 else f"Paid back by {method}"


def _line_row(line: InvoiceLine, currency: str) -> InvoiceLineRow:
    charge = line.charge
    zone = line.period.time_zone
    detail = ADJUSTMENTS.get(line.kind, "")
    if line.late:
        detail = f"Late usage of {period(line.period.start, line.period.end, zone)}"
    elif charge is not None:
        detail = line_detail(charge, currency, zone)
    quantity = "" if line.quantity is None else count(line.quantity)
    if charge is not None and charge.kind == "flat":
        in_one_amount = charge.cadence not in {None, Cadence.MONTH}
        quantity = line_quantity(charge) if in_one_amount else ""
    return InvoiceLineRow(
        number=str(line.line),
        name=line.name,
        detail=detail,
        plan=line.plan_name or plan_name(line.plan or "", line.plan_version or 0),
        quantity=quantity,
        price=""
        if charge is None or charge.price is None
        else line_price(charge.price, charge, currency),
        amount=money(line.amount.amount, currency),
        steps=_steps(line, currency),
        has_events=charge is not None and charge.kind != "flat",
    )


def _steps(line: InvoiceLine, currency: str) -> list[str]:
    charge = line.charge
    steps = []
    if charge is not None and charge.included:
        steps.append(f"{count(charge.included)} of {count(charge.quantity)} included")
    if line.before is not None:
        now = line.before.amount + line.amount.amount
        steps.append(
            f"{money(now, currency)} with all usage, less "
            f"{money(line.before.amount, currency)} invoiced before"
        )
    elif line.exact != line.amount.amount:
        steps.append(f"Exactly {exact_money(line.exact, currency)}")
    return steps
