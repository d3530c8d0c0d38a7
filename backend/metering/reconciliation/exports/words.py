"""Words of a file: what fits a pattern, and how many units a unit is. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

_UNIT: Final = re.compile(
    r"(?:(?P<number>\d[\d,]*)\s*)?(?:(?P<scale>[KMB])(?=$|[^A-Za-z]))?", re.IGNORECASE
)
_SCALES: Final = {"": 1, "K": 1_000, "M": 1_000_000, "B": 1_000_000_000}
_COUNTED: Final = frozenset(
    {"", "token", "tokens", "unit", "units", "count", "counts", "request", "requests", "each"}
)


def fits(text: str, pattern: str) -> bool:
    """Return whether a text is the pattern, in which ``*`` is any text."""
    first, *rest = pattern.split("*")
    if not rest:
        return text == pattern
    *between, last = rest
    end = len(text) - len(last)
    if not text.startswith(first) or not text.endswith(last) or end < len(first):
        return False
    at: int | None = len(first)
    for part in between:
        at = _after(text[:end], part, at or 0)
        if at is None:
            return False
    return True


def _after(text: str, part: str, start: int) -> int | None:
    """Return where the first ``part`` from ``start`` on ends; None if there is none."""
    at = text.find(part, start)
    return None if at < 0 else at + len(part)


def meter_of(text: str, meters: Mapping[str, str]) -> str | None:
    """Return the meter of the first pattern that fits; None if none does."""
    return next((meter for pattern, meter in meters.items() if fits(text, pattern)), None)


def model_in(text: str, patterns: Iterable[str]) -> str | None:
    """Return what stands at ``{model}`` of the first pattern that fits; None if none does."""
    return next((model for pattern in patterns if (model := _model(text, pattern))), None)


def _model(text: str, pattern: str) -> str | None:
    """Return the model by one pattern: each ``*`` as short as it can be, and the model too."""
    before, after = pattern.split("{model}")
    first, *rest = before.split("*")
    if not text.startswith(first):
        return None
    start: int | None = len(first)
    for part in rest:
        start = _after(text, part, start or 0)
        if start is None:
            return None
    begins = start or 0
    literal, star, _ = after.partition("*")
    if not star:
        ends = len(text) - len(after)
        return text[begins:ends] if text.endswith(after) and begins < ends else None
    ends = text.find(literal, begins + 1)
    if ends < 0 or not fits(text[ends + len(literal) :], after[len(literal) :]):
        return None
    return text[begins:ends]


def is_wanted(row: Mapping[str, str], where: Mapping[str, str | Sequence[str]]) -> bool:
    """Return whether a row has one of the wanted values in each column."""
    return all(
        any(
            fits(row[column], pattern)
            for pattern in ([wanted] if isinstance(wanted, str) else wanted)
        )
        for column, wanted in where.items()
    )


def unit_size(text: str, units: Mapping[str, int]) -> int | None:
    """Return how many units a unit is: 1,000 for ``1K tokens``. None if it is not understood."""
    if text in units:
        return units[text]
    match = _UNIT.match(text.strip())
    if match is None or text.strip()[match.end() :].strip().lower() not in _COUNTED:
        return None
    number = int((match["number"] or "1").replace(",", ""))
    return (number * _SCALES[(match["scale"] or "").upper()]) or None
