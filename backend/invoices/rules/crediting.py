"""Which lines a credit note of a given total takes back. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal

from backend.pricing.money import ZERO, minor_digits


def subtotal_of(
    total: Decimal, with_tax: Callable[[Decimal], Decimal], currency: str
) -> Decimal | None:
    """Return the amount before tax that comes to ``total`` with it; None if rounding leaves none.

    ``with_tax`` must grow with its argument, by a minor unit a minor unit at least.
    """
    unit = Decimal(1).scaleb(-minor_digits(currency))
    low, high = 0, int(total / unit)
    while low < high:
        middle = (low + high) // 2
        if with_tax(middle * unit) < total:
            low = middle + 1
        else:
            high = middle
    subtotal = low * unit
    return subtotal if subtotal > 0 and with_tax(subtotal) == total else None


def spread_over(amount: Decimal, left: Mapping[int, Decimal]) -> list[tuple[int, Decimal]]:
    """Return which part of each line makes up ``amount``: whole lines from the first on."""
    lines = []
    for number, of_line in left.items():
        part = min(amount, of_line)
        if part > 0:
            lines.append((number, part))
            amount -= part
    return lines if amount == ZERO else []
