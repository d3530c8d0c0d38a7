"""The paper that invoices are drawn on: its foot, and the mark in its head."""

from __future__ import annotations

from reportlab.graphics.shapes import Drawing, Rect
from reportlab.lib.colors import Color, HexColor
from reportlab.lib.pagesizes import A4
from reportlab.lib.units import mm
from reportlab.pdfgen.canvas import Canvas

from backend.billing.invoices.printing.typeface import REGULAR

_ACCENT = HexColor("#3e63dd")
_MUTED = HexColor("#60646c")
_RULE = HexColor("#d9d9e0")


def draw_foot(canvas: Canvas, text: str, pages: str, margin: float) -> None:
    """Write what a page is of at its foot, and which page it is."""
    canvas.saveState()
    canvas.setStrokeColor(_RULE)
    canvas.setLineWidth(0.4)
    canvas.line(margin, 16 * mm, A4[0] - margin, 16 * mm)
    canvas.setFont(REGULAR, 7.5)
    canvas.setFillColor(_MUTED)
    canvas.drawString(margin, 11.5 * mm, text)
    canvas.drawRightString(A4[0] - margin, 11.5 * mm, pages)
    canvas.restoreState()


def mark(side: float) -> Drawing:
    """Farebox's mark, as in ``assets/logo.svg``, as a square."""
    unit = side / 32
    drawing = Drawing(side, side)

    def bar(x: float, y: float, width: float, height: float, colour: Color, radius: float) -> None:
        corner = radius * unit
        drawing.add(
            Rect(
                x * unit,
                (32 - y - height) * unit,
                width * unit,
                height * unit,
                rx=corner,
                ry=corner,
                fillColor=colour,
                strokeColor=None,
            )
        )

    bar(0, 0, 32, 32, _ACCENT, 8)
    bar(9, 7, 14, 3, _white(1), 1.5)
    bar(8, 20, 3.5, 5, _white(0.55), 1.2)
    bar(14.25, 16.5, 3.5, 8.5, _white(0.8), 1.2)
    bar(20.5, 13, 3.5, 12, _white(1), 1.2)
    return drawing


def _white(strength: float) -> Color:
    return Color(
        *(part + (1 - part) * strength for part in (_ACCENT.red, _ACCENT.green, _ACCENT.blue))
    )
