"""Amberflo's numbers, which are binary: what they can hold of ours, and what they mean. Pure."""

from __future__ import annotations

from decimal import Context, Decimal
from typing import Final

from backend.platforms.adapter import Refused

_DIGITS: Final = Context(prec=15)
"""A binary double keeps 15 decimal digits, whatever is computed with it."""


def is_exact(value: Decimal) -> bool:
    """Return whether a number of Amberflo's holds a value of ours digit by digit."""
    return _DIGITS.plus(value) == value


def to_number(value: Decimal) -> int | float:
    """Return a value as it is written in JSON; raise ``Refused`` if it would not be the same."""
    if not is_exact(value):
        raise Refused(f"Amberflo's numbers hold 15 digits, not {value}.")
    return int(value) if value == value.to_integral_value() else float(value)


def from_number(value: Decimal | int | None) -> Decimal:
    """Return a number of Amberflo's without the dust of its binary sums."""
    return _DIGITS.plus(Decimal(value or 0))
