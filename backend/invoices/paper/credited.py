"""A credit note in the form of an invoice, so that both are written alike. Pure."""

from __future__ import annotations

from backend.pricing.money import ZERO, money
from backend_client.types.invoices import CreditNote, Invoice, InvoiceLine, InvoiceState


def as_credited(invoice: Invoice, note: CreditNote) -> Invoice:
    """Return what a credit note takes off an invoice: its lines, taxes and total, as amounts.

    A line's arithmetic is left out: it is of the whole line. Tax alone has no lines.
    """
    by_number = {line.line: line for line in invoice.lines}
    lines: list[InvoiceLine] = []
    for credited in note.lines:
        line = by_number[credited.line]
        whole = line.amount == credited.amount
        lines.append(
            line.model_copy(
                update={
                    "amount": credited.amount,
                    "exact": credited.amount.amount,
                    "quantity": line.quantity if whole else None,
                    "charge": None,
                    "before": None,
                }
            )
        )
    nothing = money(ZERO, note.total.currency)
    return invoice.model_copy(
        update={
            "id": note.id,
            "number": note.number,
            "state": InvoiceState.FINALIZED,
            "issued_at": note.issued_at,
            "due_at": None,
            "lines": lines,
            "subtotal": note.subtotal,
            "taxes": note.taxes,
            "total": note.total,
            "due": nothing,
            "paid": nothing,
            "credited": nothing,
            "payments": [],
            "credit_notes": [],
            "reminders": [],
        }
    )
