"""A statement as a PDF: the tree with its sums, on one page or several.

Run it in a process of its own: drawing takes tens of milliseconds, too long for an event loop.
"""

from __future__ import annotations

import io
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
    PageTemplate,
    Paragraph,
    Spacer,
    Table,
)

from backend.invoices.paper import words
from backend.invoices.paper.sheet import draw_foot
from backend.invoices.paper.typeface import BOLD, REGULAR, marked_up, register
from backend_client.types.chargeback import MonthState, RowKind, Statement, StatementRow

_INK = HexColor("#1c2024")
_MUTED = HexColor("#60646c")
_RULE = HexColor("#d9d9e0")
_MARGIN = 18 * mm
_WIDTH = A4[0] - 2 * _MARGIN
_COLUMNS = [_WIDTH * share for share in (0.40, 0.15, 0.15, 0.15, 0.15)]
_INDENT = 4 * mm
_MOST_INDENTED = 8
_STATES = {
    MonthState.RUNNING: "The month runs: amounts follow usage.",
    MonthState.OPEN: "The month is invoiced and not closed.",
    MonthState.CLOSED: "The month is closed.",
}


def print_statement(given: tuple[str, str]) -> bytes:
    """Return the PDF of a tenant's statement; given are the tenant's name and the JSON."""
    name, document = given
    return statement_pdf(name, Statement.model_validate_json(document))


def statement_pdf(tenant_name: str, statement: Statement) -> bytes:
    """Draw a statement; the same one gives the same bytes."""
    register()
    out = io.BytesIO()
    title = f"Chargeback {words.period(statement.period)}"
    document = BaseDocTemplate(
        out,
        pagesize=A4,
        title=title,
        author=tenant_name,
        creator="Farebox",
        lang="en",
        invariant=1,
    )
    frame = Frame(_MARGIN, 20 * mm, _WIDTH, A4[1] - 36 * mm, 0, 0, 0, 0)

    def on_page(canvas: Canvas, page: BaseDocTemplate) -> None:
        draw_foot(canvas, f"{tenant_name} · {title}", f"Page {page.page}", _MARGIN)

    document.addPageTemplates([PageTemplate("page", [frame], onPage=on_page)])
    document.build(
        [
            _text("Chargeback statement", 16, bold=True),
            Spacer(0, 2 * mm),
            _text(tenant_name, 11, bold=True),
            _text(f"{words.period(statement.period)} ({statement.period.time_zone})"),
            _text(_STATES[statement.state], color=_MUTED),
            Spacer(0, 6 * mm),
            _rows(statement),
            Spacer(0, 5 * mm),
            *_notes(statement),
        ]
    )
    return out.getvalue()


def _text(
    text: str,
    size: float = 9,
    *,
    bold: bool = False,
    color: Color = _INK,
    right: bool = False,
    indent: float = 0,
) -> Paragraph:
    style = ParagraphStyle(
        "text",
        fontName=BOLD if bold else REGULAR,
        fontSize=size,
        leading=size * 1.38,
        textColor=color,
        alignment=TA_RIGHT if right else TA_LEFT,
        leftIndent=indent,
        splitLongWords=True,
    )
    return Paragraph(marked_up(text), style)


def _rows(statement: Statement) -> Table:
    head = [
        _text(f"Department or cost center ({statement.cost.currency})", 8, color=_MUTED),
        *[
            _text(title, 8, color=_MUTED, right=True)
            for title in ("Cost", "of it for earlier months", "Charged", "Budget used")
        ],
    ]
    sums: list[Any] = [
        _text("Together", bold=True),
        _text(words.figure(statement.cost), bold=True, right=True),
        _text(words.figure(statement.adjustments), bold=True, right=True),
        _text(words.figure(statement.charged), bold=True, right=True),
        "",
    ]
    return Table(
        [head, *[_row(row) for row in statement.rows], sums],
        colWidths=_COLUMNS,
        repeatRows=1,
        style=[
            ("VALIGN", (0, 0), (-1, -1), "TOP"),
            ("LEFTPADDING", (0, 0), (0, -1), 0),
            ("RIGHTPADDING", (-1, 0), (-1, -1), 0),
            ("LINEBELOW", (0, 0), (-1, 0), 0.8, _INK),
            ("LINEBELOW", (0, 1), (-1, -2), 0.4, _RULE),
            ("LINEABOVE", (0, -1), (-1, -1), 0.8, _INK),
        ],
    )


def _row(row: StatementRow) -> list[Any]:
    bold = row.kind is RowKind.DEPARTMENT
    indent = _INDENT * min(max(len(row.path) - 1, 0), _MOST_INDENTED)
    name: list[Flowable] = [_text(row.name, bold=bold, indent=indent)]
    if row.code is not None:
        name.append(_text(row.code, 7.5, color=_MUTED, indent=indent))
    used = ""
    if row.budget is not None and row.used is not None:
        share = row.used.amount / row.budget.amount * 100
        used = f"{share:.0f}% of {words.figure(row.budget)}"
    return [
        name,
        _text(words.figure(row.cost), bold=bold, right=True),
        _text(words.figure(row.adjustments), bold=bold, right=True),
        _text(words.figure(row.charged), bold=bold, right=True),
        _text(used, right=True),
    ]


def _notes(statement: Statement) -> list[Flowable]:
    notes = [
        f"Margin of the transfer price: {words.money(statement.margin)}.",
        f"Tax on top of the cost, which is not charged: {words.money(statement.tax)}.",
    ]
    if statement.invoices:
        notes.append(f"Of {', '.join(statement.invoices)}.")
    return [_text(note, 8, color=_MUTED) for note in notes]
