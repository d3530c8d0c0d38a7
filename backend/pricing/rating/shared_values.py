"""The value that a period has of a meter which is not summed, divided over its plans. Pure.

A highest, a last or a distinct number is of the whole period: it can't be cut where a plan changes.
Each plan prices the part that falls on the time it applied, whenever in the period the value came
about. So moving to another plan around a peak is worth no more than that plan's share of the time.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Final

from backend.pricing.money import ZERO, exact_arithmetic, rounded_down

_DECIMALS: Final = 9
_MICROSECOND: Final = timedelta(microseconds=1)


def shared_out(value: Decimal, times: Sequence[tuple[datetime, datetime]]) -> list[Decimal]:
    """Divide ``value`` over ``times`` by their length; the parts add up to it exactly.

    A part is cut at nine decimals, and what is cut off falls to the time after it.
    """
    lengths = [max((end - start) // _MICROSECOND, 0) for start, end in times]
    whole = sum(lengths)
    parts: list[Decimal] = []
    passed = 0
    given = ZERO
    with exact_arithmetic():
        for length in lengths:
            passed += length
            last = passed == whole and len(parts) == len(lengths) - 1
            due = (
                value
                if last or not whole
                else rounded_down(Fraction(value) * passed / whole, _DECIMALS)
            )
            parts.append(due - given)
            given = due
    return parts
