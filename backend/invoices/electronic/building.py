"""From an issued invoice or credit note to the model of EN 16931. Pure.

The standard knows one VAT a line, and amounts of at most two decimals: a document with more of
either has no e-invoice, and none is made up.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Final
from zoneinfo import ZoneInfo

from backend.invoices.electronic.semantic import Category, Document, Line, Preceding, Vat
from backend.invoices.errors import EInvoiceNotExpressible, InvoiceIsDraft, InvoiceVoid
from backend.invoices.paper import words
from backend.invoices.paper.fee_parts import printed_lines
from backend.pricing.money import ZERO, exact_arithmetic
from backend.pricing.periods import INSTANT
from backend.pricing.tax.lines import net_of_parts
from backend.pricing.tax.rate_choice import REVERSE_CHARGE
from backend_client.types.invoices import (
    AFTER_TAX,
    CreditNote,
    Invoice,
    InvoiceLine,
    InvoiceState,
    Party,
    PartyLegal,
    Tax,
)

_SMALLEST: Final = Decimal("0.01")


def invoice_document(invoice: Invoice, buyer: PartyLegal | None = None) -> Document:
    """Return an issued invoice, which is given ``as_printed``, as the standard has it.

    ``buyer`` is what the customer has on record now, for an invoice that was issued without.
    Raises ``Conflict`` for a draft, a void invoice, and what the standard can't express.
    """
    if invoice.number is None or invoice.issued_at is None:
        raise InvoiceIsDraft("A draft has no e-invoice: it has to be issued first.")
    if invoice.state is InvoiceState.VOID:
        raise InvoiceVoid("This invoice is void; an e-invoice can't say so.")
    zone = invoice.period.time_zone
    amounts = {line.line: line.amount.amount for line in invoice.lines}
    with exact_arithmetic():
        lines = _lines(invoice.lines, amounts, invoice.taxes, zone, invoice.total.currency)
        after = _after_tax(invoice.lines, amounts)
        paid = sum((payment.amount.amount for payment in invoice.payments), -after)
        document = Document(
            number=invoice.number,
            issued_on=_day(invoice.issued_at, zone),
            due_on=None if invoice.due_at is None else _day(invoice.due_at, zone),
            currency=invoice.total.currency,
            seller=invoice.seller,
            buyer=_with_legal(invoice.customer, buyer),
            start=_day(invoice.period.start, zone),
            end=_day(invoice.period.end - INSTANT, zone),
            notes=invoice.tax_notes,
            terms=invoice.payment_note.strip() or None,
            lines=lines,
            vat=_vat(invoice.taxes, invoice.tax_notes, lines),
            paid=paid,
        )
        return _checked(document, invoice.total.amount - after)


def credit_note_document(
    invoice: Invoice, note: CreditNote, buyer: PartyLegal | None = None
) -> Document:
    """Return a credit note of an invoice as the standard has it; raise as ``invoice_document``."""
    if invoice.number is None or invoice.issued_at is None:
        raise InvoiceIsDraft("A draft has no credit notes.")
    if not note.lines:
        raise EInvoiceNotExpressible("EN 16931 has no credit note of tax alone.")
    zone = invoice.period.time_zone
    amounts = {line.line: line.amount.amount for line in note.lines}
    with exact_arithmetic():
        lines = _lines(invoice.lines, amounts, note.taxes, zone, note.total.currency)
        after = _after_tax(invoice.lines, amounts)
        document = Document(
            number=note.number,
            issued_on=_day(note.issued_at, zone),
            due_on=None,
            currency=note.total.currency,
            seller=invoice.seller,
            buyer=_with_legal(invoice.customer, buyer),
            start=_day(invoice.period.start, zone),
            end=_day(invoice.period.end - INSTANT, zone),
            notes=[note.reason, *invoice.tax_notes],
            terms="Settled with what is due, or kept for the next invoices.",
            lines=lines,
            vat=_vat(note.taxes, invoice.tax_notes, lines),
            paid=-after,
            preceding=Preceding(invoice.number, _day(invoice.issued_at, zone)),
        )
        return _checked(document, note.total.amount - after)


def _checked(document: Document, total: Decimal) -> Document:
    """Raise ``Conflict`` unless the sums are the document's own, in decimals that are allowed."""
    if document.gross != total or document.vat.taxable != document.net:
        raise EInvoiceNotExpressible(
            "The tax is on a part of the lines only, and EN 16931 needs to know on which."
        )
    amounts = [line.amount for line in document.lines]
    for amount in (*amounts, document.vat.amount, document.paid):
        if amount % _SMALLEST:
            raise EInvoiceNotExpressible(
                f"EN 16931 has amounts of 2 decimals, and {amount} {document.currency} has more."
            )
    return document


def _vat(taxes: Sequence[Tax], notes: Sequence[str], lines: Sequence[Line]) -> Vat:
    net = sum((line.amount for line in lines), ZERO)
    if len(taxes) > 1:
        names = ", ".join(tax.name for tax in taxes)
        raise EInvoiceNotExpressible(f"EN 16931 has one VAT a line, and here are several: {names}.")
    if taxes:
        [tax] = taxes
        category = Category.STANDARD if tax.percent else Category.ZERO
        taxable = net if tax.inclusive else tax.taxable.amount
        return Vat(category, tax.percent, taxable, tax.amount.amount)
    reason = " ".join(notes) or None
    if any(note.startswith(REVERSE_CHARGE) for note in notes):
        return Vat(Category.REVERSE_CHARGE, ZERO, net, ZERO, reason)
    if any(note.startswith("Exempt") for note in notes):
        return Vat(Category.EXEMPT, ZERO, net, ZERO, reason)
    return Vat(Category.OUTSIDE, ZERO, net, ZERO, reason or "Not subject to VAT")


def _lines(
    all_lines: Sequence[InvoiceLine],
    amounts: dict[int, Decimal],
    taxes: Sequence[Tax],
    zone: str,
    currency: str,
) -> list[Line]:
    """Return the lines that have an amount here, less the tax that is within it."""
    chosen = [line for line in all_lines if line.line in amounts and line.kind not in AFTER_TAX]
    within = sum((tax.amount.amount for tax in taxes if tax.inclusive), ZERO)
    nets = net_of_parts([amounts[line.line] for line in chosen], within, currency)
    return [
        Line(
            number=str(line.line),
            name=line.name,
            description=_description(line),
            start=_day(line.period.start, zone),
            end=_day(line.period.end - INSTANT, zone),
            amount=net,
        )
        for line, net in zip(chosen, nets, strict=True)
    ]


def _after_tax(lines: Sequence[InvoiceLine], amounts: dict[int, Decimal]) -> Decimal:
    """Return what is taken off after tax: for the standard, paid already (BT-113)."""
    taken = (amounts.get(line.line, ZERO) for line in lines if line.kind in AFTER_TAX)
    return sum(taken, ZERO)


def _description(line: InvoiceLine) -> str:
    parts = [f"Late usage of {words.period(line.period)}" if line.late else ""]
    parts.append(words.plan(line))
    if line.charge is not None and line.charge.fee_parts and not line.late:
        for part in printed_lines(line):
            price = f"{words.quantity(part)} × {words.unit_price(part)}"
            parts.append(", ".join([price, *words.arithmetic(part)]))
    else:
        parts += [f"Quantity {quantity}" if (quantity := words.quantity(line)) else ""]
        parts += words.arithmetic(line)
    return "; ".join(filter(None, parts))


def _with_legal(party: Party, legal: PartyLegal | None) -> Party:
    return party if party.legal is not None else party.model_copy(update={"legal": legal})


def _day(moment: datetime, zone: str) -> date:
    return moment.astimezone(ZoneInfo(zone)).date()
