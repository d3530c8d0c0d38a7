"""Invoices as lists show them. Plain functions."""

from __future__ import annotations

from dataclasses import dataclass

from backend_client.types.invoices import InvoiceState, InvoiceSummary
from portal.kit.color import Color
from portal.kit.formatting import date as written_date
from portal.kit.formatting import money, period

STATES: dict[str, tuple[str, Color]] = {
    InvoiceState.DRAFT: ("Draft", "gray"),
    InvoiceState.FINALIZED: ("To pay", "blue"),
    InvoiceState.PAID: ("Paid", "green"),
    InvoiceState.VOID: ("Void", "gray"),
    InvoiceState.UNCOLLECTIBLE: ("Written off", "orange"),
}


@dataclass(frozen=True)
class InvoiceRow:
    """An invoice in the list."""

    id: str
    name: str
    period: str
    state: str
    color: Color
    issued: str
    due_on: str
    total: str
    to_pay: str


def invoice_row(invoice: InvoiceSummary) -> InvoiceRow:
    """An invoice as the list shows it."""
    zone, currency = invoice.period.time_zone, invoice.total.currency
    state, color = STATES[invoice.state]
    if invoice.overdue and invoice.state is InvoiceState.FINALIZED:
        state, color = "Overdue", "red"
    return InvoiceRow(
        id=invoice.id,
        name=invoice.number or "Next invoice",
        period=period(invoice.period.start, invoice.period.end, zone),
        state=state,
        color=color,
        issued=written_date(invoice.issued_at, zone) if invoice.issued_at else "",
        due_on=written_date(invoice.due_at, zone) if invoice.due_at else "",
        total=money(invoice.total.amount, currency),
        to_pay=money(invoice.due.amount, currency) if invoice.due.amount else "",
    )
