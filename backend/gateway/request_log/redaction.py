"""Words of a body that should be kept nowhere: addresses, card numbers and keys. Pure.

It finds what has a form of its own, and so not all that is private: names and places stay.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

_E_MAIL: Final = re.compile(
    r"[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,8}"
)
_DIGITS: Final = re.compile(r"(?<![0-9])[0-9](?:[ -]?[0-9]){12,18}(?![0-9])")
"""ISO/IEC 7812-1 has 13 to 19 digits, written in groups or not."""
_KEYS: Final = re.compile(
    r"\b(?:"
    r"sk-[A-Za-z0-9_-]{16,}"  # OpenAI, Anthropic, OpenRouter and who follows them
    r"|(?:sk|rk|pk)_(?:live|test)_[A-Za-z0-9]{16,}"  # Stripe
    r"|fb(?:_live|_oper|s|i)_[A-Za-z0-9_-]{16,}"  # Farebox's own
    r"|gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,}"
    r"|AKIA[0-9A-Z]{16}|AIza[A-Za-z0-9_-]{30,}|xox[abprs]-[A-Za-z0-9-]{10,}"
    r"|eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}"  # RFC 7519
    r")"
)
_DATA_ADDRESS: Final = re.compile(r"^data:[^,]{1,200};base64,")
_LONGEST_DATA: Final = 1000
_DEEPEST: Final = 100


def redacted(value: Any, *, private: bool = True, depth: int = 0) -> Any:
    """Return a JSON value without what is found; without large data of pictures in any case.

    With ``private`` false, addresses, card numbers and keys stay. What is nested deeper than a
    hundred levels is left out.
    """
    if depth > _DEEPEST:
        return "[too deep]"
    if isinstance(value, str):
        return _text(value, private)
    if isinstance(value, Mapping):
        return {
            _text(str(name), private): redacted(part, private=private, depth=depth + 1)
            for name, part in value.items()
        }
    if isinstance(value, list | tuple):
        return [redacted(part, private=private, depth=depth + 1) for part in value]
    if private and isinstance(value, int) and not isinstance(value, bool):
        written = str(value) if abs(value) < 10**20 else ""
        return _text(written, private) if _text(written, private) != written else value
    return value


def _text(text: str, private: bool) -> str:
    if len(text) > _LONGEST_DATA and (head := _DATA_ADDRESS.match(text)):
        return f"{head[0]}[{len(text) - head.end():,} characters]"
    if not private:
        return text
    text = _KEYS.sub("[key]", text)
    text = _E_MAIL.sub("[e-mail]", text)
    return _DIGITS.sub(_card, text)


def _card(match: re.Match[str]) -> str:
    digits = [int(digit) for digit in match[0] if digit.isdigit()]
    return "[card number]" if _is_card(digits) else match[0]


def _is_card(digits: list[int]) -> bool:
    """Check the digit at the end (Luhn, ISO/IEC 7812-1, annex B)."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        doubled = digit * 2 if place % 2 else digit
        total += doubled - 9 if doubled > 9 else doubled
    return total % 10 == 0 and len(set(digits)) > 1
