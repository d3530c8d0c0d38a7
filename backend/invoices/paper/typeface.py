"""The typeface of printed invoices, and the scripts that it has no letters for."""

from __future__ import annotations

import itertools
from functools import cache
from typing import Final
from xml.sax.saxutils import escape

import fontpkg_lato
from reportlab.graphics.shapes import STATE_DEFAULTS
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfbase.ttfonts import TTFont

REGULAR: Final = "Lato"
BOLD: Final = "Lato-Bold"

# PDF readers have typefaces for these scripts; the file names them and does not contain them.
_SCRIPTS: Final = (
    ("HYSMyeongJo-Medium", ((0x1100, 0x11FF), (0x3130, 0x318F), (0xAC00, 0xD7AF))),
    ("HeiseiKakuGo-W5", ((0x3040, 0x30FF), (0x31F0, 0x31FF), (0xFF61, 0xFF9F))),
    ("STSong-Light", ((0x2E80, 0x303F), (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF))),
)


@cache
def register() -> frozenset[int]:
    """Register the typeface with ReportLab, once a process; return the letters that it has."""
    files = fontpkg_lato.ROOT / "files"
    for name, file in ((REGULAR, "Lato-Regular.ttf"), (BOLD, "Lato-Bold.ttf")):
        pdfmetrics.registerFont(TTFont(name, str(files / file)))
    pdfmetrics.registerFontFamily(
        REGULAR, normal=REGULAR, bold=BOLD, italic=REGULAR, boldItalic=BOLD
    )
    # What ReportLab sets before it draws a shape: else the file names a face that is not in it
    STATE_DEFAULTS["fontName"] = REGULAR
    for name, _ in _SCRIPTS:
        pdfmetrics.registerFont(UnicodeCIDFont(name))
    return frozenset(pdfmetrics.getFont(REGULAR).face.charToGlyph)


def marked_up(text: str) -> str:
    """Return a text as ReportLab's markup, each run of letters in a face that has them."""
    letters = register()
    parts = []
    for face, group in itertools.groupby(text, lambda letter: _face(letter, letters)):
        run = escape("".join(group))
        parts.append(run if face is None else f'<font name="{face}">{run}</font>')
    return "".join(parts)


def face_of(letter: str) -> str:
    """Return the bold face, or that of a script which it lacks."""
    return _face(letter, register()) or BOLD


def _face(letter: str, letters: frozenset[int]) -> str | None:
    code = ord(letter)
    if code in letters:
        return None
    return next(
        (name for name, ranges in _SCRIPTS if any(first <= code <= last for first, last in ranges)),
        None,
    )
