"""Plans side by side as a PDF: what each costs, and the lines of its last period's bill.

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
    KeepTogether,
    PageTemplate,
    Paragraph,
    Spacer,
    Table,
)

from backend.invoices.paper import words
from backend.invoices.paper.sheet import draw_foot
from backend.invoices.paper.typeface import BOLD, REGULAR, marked_up, register
from backend_client.types.common import Money, plain
from backend_client.types.simulate import SimulatedPlan, Simulation

_INK = HexColor("#1c2024")
_MUTED = HexColor("#60646c")
_RULE = HexColor("#d9d9e0")
_MARGIN = 18 * mm
_WIDTH = A4[0] - 2 * _MARGIN
_PLANS = [_WIDTH * share for share in (0.40, 0.20, 0.20, 0.20)]
_LINES = [_WIDTH * share for share in (0.60, 0.20, 0.20)]


def print_comparison(given: tuple[str, str]) -> bytes:
    """Return the PDF of a comparison; given are the seller's name and the JSON."""
    name, document = given
    return comparison_pdf(name, Simulation.model_validate_json(document))


def comparison_pdf(seller: str, simulation: Simulation) -> bytes:
    """Draw a comparison; the same one gives the same bytes."""
    register()
    out = io.BytesIO()
    title = "Plans compared"
    document = BaseDocTemplate(
        out,
        pagesize=A4,
        title=title,
        author=seller,
        creator="Farebox",
        lang="en",
        initialFontName=REGULAR,
        invariant=1,
    )
    frame = Frame(_MARGIN, 20 * mm, _WIDTH, A4[1] - 36 * mm, 0, 0, 0, 0)

    def on_page(canvas: Canvas, page: BaseDocTemplate) -> None:
        draw_foot(canvas, f"{seller} · {title}", f"Page {page.page}", _MARGIN)

    document.addPageTemplates([PageTemplate("page", [frame], onPage=on_page)])
    document.build(
        [
            _text(title, 16, bold=True),
            Spacer(0, 2 * mm),
            _text(seller, 11, bold=True),
            _text(
                f"In {simulation.currency}, before tax. A simulation of a described workload at "
                "the prices on sale; nothing is ordered by it.",
                color=_MUTED,
            ),
            Spacer(0, 5 * mm),
            _overview(simulation.plans),
            *(_bill(plan) for plan in simulation.plans if plan.periods),
        ]
    )
    return out.getvalue()


def _overview(plans: list[SimulatedPlan]) -> Flowable:
    head = [
        _text("Plan", bold=True),
        *(_text(name, bold=True, right=True) for name in ("Bills", "Its credit", "To pay")),
    ]
    rows = [
        [
            [
                _text(plan.name, bold=True),
                *([] if plan.fits else [_text(plan.reason or "It does not fit.", color=_MUTED)]),
            ],
            *(_money(amount) for amount in (plan.total, plan.credit, plan.to_pay)),
        ]
        for plan in plans
    ]
    return _table([head, *rows], _PLANS)


def _bill(plan: SimulatedPlan) -> Flowable:
    last = plan.periods[-1]
    rows: list[list[Any]] = [
        [_text(line.name), _text(plain(line.quantity), right=True), _money(line.amount)]
        for line in last.lines
    ]
    rows += [[_text(each.name), _text(""), _money(each.amount)] for each in last.adjustments]
    rows.append([_text("Total", bold=True), _text(""), _money(last.total)])
    return KeepTogether(
        [
            Spacer(0, 7 * mm),
            _text(plan.name, 12, bold=True),
            _text(words.period(last.period), color=_MUTED),
            Spacer(0, 2 * mm),
            _table(rows, _LINES),
        ]
    )


def _table(rows: list[list[Any]], columns: list[float]) -> Flowable:
    return Table(
        rows,
        colWidths=columns,
        repeatRows=1,
        style=[
            ("VALIGN", (0, 0), (-1, -1), "TOP"),
            ("LEFTPADDING", (0, 0), (0, -1), 0),
            ("RIGHTPADDING", (-1, 0), (-1, -1), 0),
            ("LINEBELOW", (0, 0), (-1, -1), 0.4, _RULE),
        ],
    )


def _money(amount: Money) -> Flowable:
    return _text(words.money(amount), right=True)


def _text(
    text: str,
    size: float = 9,
    *,
    bold: bool = False,
    right: bool = False,
    color: Color = _INK,
) -> Flowable:
    style = ParagraphStyle(
        "text",
        fontName=BOLD if bold else REGULAR,
        fontSize=size,
        leading=size * 1.35,
        textColor=color,
        alignment=TA_RIGHT if right else TA_LEFT,
    )
    return Paragraph(marked_up(text), style)
