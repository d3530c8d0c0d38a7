"""An invoice as a PDF of one page or several: a pure function of its final parts, to the byte.

Run it in a process of its own: drawing takes tens of milliseconds, too long for an event loop.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from reportlab.lib.colors import Color, HexColor
from reportlab.lib.enums import TA_LEFT, TA_RIGHT
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import (
    BaseDocTemplate,
    Flowable,
    Frame,
    KeepTogether,
    PageTemplate,
    Paragraph,
    Spacer,
    Table,
)

from backend.invoices.paper import words
from backend.invoices.paper.credited import as_credited
from backend.invoices.paper.fee_parts import printed_lines
from backend.invoices.paper.sheet import draw_foot, initial
from backend.invoices.paper.typeface import BOLD, REGULAR, marked_up, register
from backend_client.types.common import Money, plain
from backend_client.types.invoices import (
    AFTER_TAX,
    CreditNote,
    Invoice,
    InvoiceKind,
    InvoiceLine,
    InvoiceState,
    Party,
)

_INK = HexColor("#1c2024")
_MUTED = HexColor("#60646c")
_RULE = HexColor("#d9d9e0")
_WASH = HexColor("#f4f5fb")
_MARGIN = 20 * mm
_FOOT = 20 * mm
_WIDTH = A4[0] - 2 * _MARGIN
_COLUMNS = [_WIDTH * share for share in (0.50, 0.15, 0.18, 0.17)]
_SUMS = 0.56
"""The part of the width of the totals, at the right."""
_BESIDE = 12
"""How many lines of payment instructions stand beside the totals; more come below them."""
_TITLES = {InvoiceState.DRAFT: "Draft invoice", InvoiceState.VOID: "Void invoice"}
_PAID_AT_ONCE = {
    "credit": "Paid from your credit",
    "balance": "From your balance",
    "top_up": "Paid",
}
_ROUNDING = (
    "Each line is computed exactly and rounded once, half up, to the minor unit of {currency}; "
    "the subtotal is the sum of the lines as printed. Each tax is rounded once in the same way."
)


def print_invoice(document: str) -> bytes:
    """Return the PDF of an invoice that is given as JSON."""
    return invoice_pdf(Invoice.model_validate_json(document))


def print_credit_note(documents: tuple[str, str]) -> bytes:
    """Return the PDF of a credit note that is given as JSON after its invoice."""
    invoice, note = documents
    return credit_note_pdf(
        Invoice.model_validate_json(invoice), CreditNote.model_validate_json(note)
    )


@dataclass(frozen=True, slots=True)
class _Sheet:
    """What is drawn: its title, what it is called below, and what stands beside the totals."""

    invoice: Invoice
    title: str
    noun: str
    closing: Sequence[str] = ()


def invoice_pdf(invoice: Invoice) -> bytes:
    """Draw an invoice; the same invoice gives the same bytes.

    Give it ``as_printed``: with what was paid when it was issued, not later.
    """
    if invoice.kind is InvoiceKind.TOP_UP and not invoice.taxes:
        return _drawn(_Sheet(invoice, "Receipt", "Receipt"))
    return _drawn(_Sheet(invoice, _TITLES.get(invoice.state, "Invoice"), "Invoice"))


def credit_note_pdf(invoice: Invoice, note: CreditNote) -> bytes:
    """Draw a credit note of an invoice; the same note gives the same bytes."""
    issued = words.date(invoice.issued_at, invoice.period.time_zone) if invoice.issued_at else ""
    closing = [f"Credits invoice {invoice.number} of {issued}.", note.reason]
    if note.to_balance.amount:
        kept = words.money(note.to_balance)
        closing.append(f"{kept} of it had been paid, and are kept for your next invoices.")
    if note.to_credit is not None and note.to_credit.amount:
        closing.append(f"{words.money(note.to_credit)} of it went back to your credit.")
    return _drawn(_Sheet(as_credited(invoice, note), "Credit note", "Credit note", closing))


def _drawn(sheet: _Sheet) -> bytes:
    register()
    name = sheet.invoice.number or "Draft"
    pages = 0
    while True:
        # Drawn again with the number of pages, which only drawing shows
        drawn, came_to = _draw(sheet, name, pages)
        if came_to == pages:
            return drawn
        pages = came_to


def _draw(sheet: _Sheet, name: str, pages: int) -> tuple[bytes, int]:
    invoice = sheet.invoice
    out = io.BytesIO()
    document = BaseDocTemplate(
        out,
        pagesize=A4,
        title=f"{sheet.noun} {name}",
        author=invoice.seller.name,
        subject=f"{invoice.customer.name}, {words.period(invoice.period)}",
        creator="Farebox",
        lang="en",
        initialFontName=REGULAR,  # else the file names a typeface that is not in it
        invariant=1,
    )
    frame = Frame(
        _MARGIN,
        _FOOT,
        _WIDTH,
        A4[1] - _FOOT - 16 * mm,
        leftPadding=0,
        rightPadding=0,
        topPadding=0,
        bottomPadding=0,
    )
    foot = " · ".join(_present([invoice.seller.name, invoice.seller.email, f"{sheet.noun} {name}"]))

    def on_page(canvas: Canvas, page: BaseDocTemplate) -> None:
        draw_foot(canvas, foot, f"Page {page.page} of {pages}", _MARGIN)

    document.addPageTemplates([PageTemplate("page", [frame], onPage=on_page)])
    document.build(
        [
            _head(sheet, name),
            Spacer(0, 6 * mm),
            _parties(invoice),
            Spacer(0, 5 * mm),
            _facts(invoice),
            Spacer(0, 5 * mm),
            _lines(invoice),
            Spacer(0, 3 * mm),
            # Payment instructions stand beside the amount, on the same page
            KeepTogether([*_end(sheet), Spacer(0, 5 * mm), *_rounding(invoice)]),
        ]
    )
    return out.getvalue(), document.page


def _text(
    text: str,
    size: float = 9,
    *,
    bold: bool = False,
    color: Color = _INK,
    right: bool = False,
) -> Paragraph:
    style = ParagraphStyle(
        "text",
        fontName=BOLD if bold else REGULAR,
        fontSize=size,
        leading=size * 1.38,
        textColor=color,
        alignment=TA_RIGHT if right else TA_LEFT,
        splitLongWords=True,
    )
    return Paragraph(marked_up(text), style)


def _table(
    rows: list[list[Any]], widths: list[float], *styles: tuple[Any, ...], repeat: int = 0
) -> Table:
    plain_style = [
        ("FONTNAME", (0, 0), (-1, -1), REGULAR),
        ("VALIGN", (0, 0), (-1, -1), "TOP"),
        ("LEFTPADDING", (0, 0), (0, -1), 0),
        ("RIGHTPADDING", (-1, 0), (-1, -1), 0),
    ]
    return Table(rows, colWidths=widths, style=[*plain_style, *styles], repeatRows=repeat)


def _head(sheet: _Sheet, name: str) -> Flowable:
    invoice = sheet.invoice
    return _table(
        [
            [
                initial(invoice.seller.name, 9 * mm),
                _text(invoice.seller.name, 13, bold=True),
                [
                    _text(sheet.title, 17, bold=True, right=True),
                    _text(name, 9, color=_MUTED, right=True),
                ],
            ]
        ],
        [12 * mm, _WIDTH * 0.5 - 12 * mm, _WIDTH * 0.5],
        ("VALIGN", (0, 0), (1, 0), "MIDDLE"),
        ("LEFTPADDING", (1, 0), (1, 0), 0),
    )


def _parties(invoice: Invoice) -> Flowable:
    return _table(
        [[_party("From", invoice.seller), _party("To", invoice.customer)]],
        [_WIDTH * 0.5, _WIDTH * 0.5],
        ("LEFTPADDING", (1, 0), (1, 0), 0),
    )


def _party(heading: str, party: Party) -> list[Flowable]:
    tax_id = f"Tax ID {party.tax_id}" if party.tax_id else None
    country = words.place(party)
    return [
        _text(heading, 8, color=_MUTED),
        Spacer(0, 1 * mm),
        _text(party.name, 10, bold=True),
        *[_text(line) for line in _present([*party.address, country, party.email, tax_id])],
    ]


def _facts(invoice: Invoice) -> Flowable:
    zone = invoice.period.time_zone
    issued = words.date(invoice.issued_at, zone) if invoice.issued_at else "Not yet"
    due = words.date(invoice.due_at, zone) if invoice.due_at else "Not yet"
    covers = words.period(invoice.period)
    if invoice.kind is InvoiceKind.PROGRESSIVE and invoice.issued_at:
        covers = f"{words.date(invoice.period.start, zone)} – {issued}, in part"
    facts = [("Issued", issued), ("Due", due), (f"Period ({zone})", covers)]
    if invoice.issued_at and invoice.due_at is None:  # a credit note
        facts[1] = ("Due", "Nothing")
    cells: list[list[Flowable]] = [
        [_text(head, 8, color=_MUTED), _text(value, 9.5, bold=True)] for head, value in facts
    ]
    total = [
        _text(_total_name(invoice), 8, color=_MUTED, right=True),
        _text(words.money(invoice.total), 13, bold=True, right=True),
    ]
    return _table(
        [[*cells, total]],
        [_WIDTH * share for share in (0.16, 0.16, 0.40, 0.28)],
        ("BACKGROUND", (0, 0), (-1, -1), _WASH),
        ("LEFTPADDING", (0, 0), (0, 0), 10),
        ("RIGHTPADDING", (-1, 0), (-1, 0), 10),
        ("TOPPADDING", (0, 0), (-1, -1), 8),
        ("BOTTOMPADDING", (0, 0), (-1, -1), 9),
        ("ROUNDEDCORNERS", [6, 6, 6, 6]),
    )


def _lines(invoice: Invoice) -> Flowable:
    head = [
        _text("Description", 8, color=_MUTED),
        *[
            _text(title, 8, color=_MUTED, right=True)
            for title in ("Quantity", "Unit price", f"Amount ({invoice.total.currency})")
        ],
    ]
    before_tax = [
        printed
        for line in invoice.lines
        if line.kind not in AFTER_TAX
        for printed in printed_lines(line)
    ]
    rows = [head, *[_line(invoice, line) for line in before_tax]]
    return _table(
        rows,
        _COLUMNS,
        ("LINEBELOW", (0, 0), (-1, 0), 0.8, _INK),
        ("LINEBELOW", (0, 1), (-1, -1), 0.4, _RULE),
        ("TOPPADDING", (0, 1), (-1, -1), 5),
        ("BOTTOMPADDING", (0, 1), (-1, -1), 6),
        repeat=1,
    )


def _line(invoice: Invoice, line: InvoiceLine) -> list[Any]:
    details: list[Flowable] = [_text(line.name, bold=True)]
    if line.late:
        details.append(_text(f"Late usage of {words.period(line.period)}", 7.5, color=_MUTED))
    of = [words.plan(line), *_covers(invoice, line)]
    details += [_text(detail, 7.5, color=_MUTED) for detail in _present([" · ".join(_present(of))])]
    details += [_text(step, 7.5, color=_MUTED) for step in words.arithmetic(line)]
    return [
        details,
        _text(words.quantity(line), right=True),
        _text(words.unit_price(line), right=True),
        _text(words.figure(line.amount), right=True),
    ]


def _covers(invoice: Invoice, line: InvoiceLine) -> list[str]:
    """Return the part of the period that a charge covers, if not all of it."""
    charge = line.charge
    if charge is None or line.late:
        return []
    if (charge.start, charge.end) == (invoice.period.start, invoice.period.end):
        return []
    return [words.days(charge.start, charge.end, invoice.period.time_zone)]


def _end(sheet: _Sheet) -> list[Flowable]:
    invoice = sheet.invoice
    closing = [_text(line) for line in sheet.closing] or _closing(invoice)
    sums = [_totals(invoice), *_tax_notes(invoice)]
    if len(closing) > _BESIDE:
        return [*sums, Spacer(0, 5 * mm), *closing]
    beside = _table(
        [[closing, sums]],
        [_WIDTH * (1 - _SUMS), _WIDTH * _SUMS],
        ("RIGHTPADDING", (0, 0), (0, 0), 8 * mm),
        ("LEFTPADDING", (1, 0), (1, 0), 0),
    )
    return [beside]


def _totals(invoice: Invoice) -> Flowable:
    after_tax = [line for line in invoice.lines if line.kind in AFTER_TAX]
    rows: list[tuple[str, Money]] = [("Subtotal", words.before_tax(invoice))]
    for tax in invoice.taxes:
        name = f"{tax.name} {plain(tax.percent)}% on {words.figure(tax.taxable)}"
        rows.append((f"of which {name}" if tax.inclusive else name, tax.amount))
    rows += [(line.name, line.amount) for line in after_tax]
    cells = [
        [_text(name, color=_MUTED, right=True), _text(words.figure(amount), right=True)]
        for name, amount in rows
    ]
    total = (_total_name(invoice), words.money(invoice.total))
    cells.append([_text(part, 11, bold=True, right=True) for part in total])
    whole = len(cells) - 1
    below = [
        (_PAID_AT_ONCE.get(payment.method, payment.method), f"−{words.figure(payment.amount)}")
        for payment in invoice.payments
        if payment.amount.amount > 0  # below zero it goes onto the balance, as the closing says
    ]
    cells += [
        [_text(name, color=_MUTED, right=True), _text(amount, right=True)] for name, amount in below
    ]
    if below:
        to_pay = ("To pay", words.money(invoice.due))
        cells.append([_text(part, bold=True, right=True) for part in to_pay])
    return _table(
        cells,
        [_WIDTH * _SUMS * share for share in (0.54, 0.46)],
        ("TOPPADDING", (0, 0), (-1, -1), 2),
        ("BOTTOMPADDING", (0, 0), (-1, -1), 2),
        ("LINEABOVE", (0, whole), (-1, whole), 0.8, _INK),
        ("TOPPADDING", (0, whole), (-1, whole), 6),
    )


def _total_name(invoice: Invoice) -> str:
    return "Total" if invoice.tax_known else "Total before tax"


def _tax_notes(invoice: Invoice) -> list[Flowable]:
    """Return the notes on tax: why none is charged, or who accounts for it."""
    if not invoice.tax_notes:
        return []
    return [Spacer(0, 3 * mm), *[_text(note, right=True) for note in invoice.tax_notes]]


def _closing(invoice: Invoice) -> list[Flowable]:
    texts: list[Flowable] = []
    if invoice.state is InvoiceState.VOID:
        texts += [_text("This invoice is void. Please do not pay it.", bold=True)]
    elif invoice.state is InvoiceState.DRAFT:
        texts += [_text("This is a draft: amounts follow usage until it is final.", bold=True)]
    elif invoice.total.amount < 0:
        texts += [_text("Nothing is to be paid: this amount is kept for your next invoices.")]
    elif invoice.due.amount == 0:
        texts += [_text("Nothing is to be paid.", bold=True)]
    elif invoice.due_at is not None:
        day = words.date(invoice.due_at, invoice.period.time_zone)
        texts += [_text(f"Please pay {words.money(invoice.due)} by {day}.", bold=True)]
        texts += [_text(line) for line in invoice.payment_note.splitlines() if line.strip()]
    return texts


def _rounding(invoice: Invoice) -> list[Flowable]:
    return [
        _text("How it was rounded", 8, bold=True),
        _text(_ROUNDING.format(currency=invoice.total.currency), 8, color=_MUTED),
    ]


def _present(parts: Iterable[str | None]) -> list[str]:
    return [part for part in parts if part]
