"""The paper that invoices are drawn on: its foot, and the seller's initial in its head."""

from __future__ import annotations

from reportlab.graphics.shapes import Drawing, Rect, String
from reportlab.lib.colors import HexColor, white
from reportlab.lib.pagesizes import A4
from reportlab.lib.units import mm
from reportlab.pdfgen.canvas import Canvas

from backend.invoices.paper.typeface import BOLD, REGULAR, face_of

_ACCENT = HexColor("#3e63dd")
_MUTED = HexColor("#60646c")
_RULE = HexColor("#d9d9e0")
_CAPITALS = 0.72
"""The height of capitals, as a part of the font size."""


def draw_foot(canvas: Canvas, text: str, pages: str, margin: float) -> None:
    """Write ``text`` and the page's number, ``pages``, at the foot."""
    canvas.saveState()
    canvas.setStrokeColor(_RULE)
    canvas.setLineWidth(0.4)
    canvas.line(margin, 16 * mm, A4[0] - margin, 16 * mm)
    canvas.setFont(REGULAR, 7.5)
    canvas.setFillColor(_MUTED)
    canvas.drawString(margin, 11.5 * mm, text)
    canvas.drawRightString(A4[0] - margin, 11.5 * mm, pages)
    canvas.restoreState()


def initial(name: str, side: float) -> Drawing:
    """Draw the seller's initial on a square, in place of a logo."""
    letter = name.strip()[:1].upper()
    size = side * 0.58
    drawing = Drawing(side, side)
    drawing.add(
        Rect(0, 0, side, side, rx=side / 4, ry=side / 4, fillColor=_ACCENT, strokeColor=None)
    )
    drawing.add(
        String(
            side / 2,
            side / 2 - size * _CAPITALS / 2,
            letter,
            fontName=face_of(letter) if letter else BOLD,
            fontSize=size,
            fillColor=white,
            textAnchor="middle",
        )
    )
    return drawing
