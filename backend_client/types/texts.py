"""Texts that people read: without characters that hide, move or end what stands beside them."""

from __future__ import annotations

import re
import unicodedata
from typing import Annotated, Final

from pydantic import AfterValidator, ValidationInfo
from pydantic_core import PydanticCustomError

_HIDDEN = (
    "\x00-\x1f\x7f-\x9f"  # control characters: ends of lines, escapes of a terminal
    "\u2028\u2029"  # other ends of lines
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # marks of writing direction
    "\ud800-\udfff"  # halves of characters
)
_NOT_SHOWN = re.compile(f"[{_HIDDEN}]")
_NOT_IN_PROSE = re.compile(f"(?![\t\r\n])[{_HIDDEN}]")


AS_STORED: Final = {"stored": True}
"""The context in which pydantic reads what was taken before: it is shown as it is."""


def is_stored(info: ValidationInfo) -> bool:
    """Tell whether something is read that was taken before, perhaps by an older Farebox."""
    return bool(info.context and info.context.get("stored"))


class Lines:
    """Marks a field that holds prose: it may have several lines, and tabs."""


Prose = Annotated[str, Lines()]


def check_shown(text: str, *, lines: bool = False) -> str:
    """Return a text that can be shown as it is; raise pydantic's ``ValueError`` for another."""
    if text.isprintable():
        return text
    hidden = (_NOT_IN_PROSE if lines else _NOT_SHOWN).search(text)
    if hidden:
        raise PydanticCustomError(
            "not_shown",
            "Has the character {character}, which can't be shown",
            {"character": f"U+{ord(hidden[0]):04X}"},
        )
    return text


TEXTS: Final = (str, dict, list, tuple, set, frozenset)
"""What ``check_all_shown`` looks into; a value of any other type has no text to check."""


def check_all_shown(value: object, *, lines: bool = False) -> None:
    """Check a text, or the texts of a list, a set or a mapping, as ``check_shown`` does."""
    if isinstance(value, str):
        check_shown(value, lines=lines)
    elif isinstance(value, dict):
        for name, part in value.items():
            for text in (name, part):
                if isinstance(text, str):
                    check_shown(text, lines=lines)
    elif isinstance(value, list | tuple | set | frozenset):
        for part in value:
            if isinstance(part, str):
                check_shown(part, lines=lines)


def shown(text: str, *, most: int) -> str:
    """Return what can be shown of a text that others wrote, at most so many characters."""
    return " ".join(_NOT_SHOWN.sub(" ", text[: 4 * most]).split())[:most].strip()


def _not_blank(text: str, info: ValidationInfo) -> str:
    if not is_stored(info) and not any(
        unicodedata.category(character)[0] not in "CZ" for character in text
    ):
        raise PydanticCustomError("blank", "Should have a character that can be seen")
    return text


Title = Annotated[str, AfterValidator(_not_blank)]
"""What people call something. Like every text that is sent, without hidden characters."""
