"""The instalments that a prepaid commitment is asked for in. Pure."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

from backend.pricing.money import exact_arithmetic, round_fraction


def equal_instalments(amount: Decimal, number: int, currency: str) -> list[Decimal]:
    """Divide an amount in minor units into a ``number`` of instalments as equal as it can be.

    What is asked for up to each is rounded, so that all together are the amount. Raises
    ``ValueError`` where an instalment would come to nothing.
    """
    instalments: list[Decimal] = []
    before = round_fraction(Fraction(0), currency)
    with exact_arithmetic():
        for place in range(1, number + 1):
            reached = round_fraction(Fraction(amount) * place / number, currency)
            instalments.append(reached - before)
            before = reached
    if not all(instalments):
        raise ValueError(f"{amount} can't be divided into {number} instalments")
    return instalments
