"""Divide amounts so that the parts add up, to the last minor unit. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from math import lcm
from typing import TypeVar

from backend.pricing.money import ZERO, minor_digits, prorate

Key = TypeVar("Key", bound=tuple[str, ...])


def split_amount(
    amount: Decimal, weights: Mapping[Key, Fraction], currency: str
) -> dict[Key, Decimal]:
    """Divide an amount in proportion to ``weights`` by the method of the largest remainder.

    The parts are whole minor units and add up to the amount: 100.00 in three is 33.34, 33.33 and
    33.33. Of equal remainders the first key is served first. A part below zero mirrors the one
    above. Raises ``ValueError`` without a weight above zero, or with one below.
    """
    _sum_of(weights)
    # As whole numbers of one size: a thousand fractions take ten times as long
    size = lcm(*(weight.denominator for weight in weights.values()))
    sizes = {
        key: weight.numerator * (size // weight.denominator)
        for key, weight in sorted(weights.items())
    }
    whole = sum(sizes.values())
    digits = max(minor_digits(currency), -int(amount.as_tuple().exponent))
    units = int(abs(amount).scaleb(digits))
    parts = {key: units * each // whole for key, each in sizes.items()}
    left = units - sum(parts.values())
    by_remainder = sorted(sizes, key=lambda key: -(units * sizes[key] % whole))
    for key in by_remainder[:left]:
        parts[key] += 1
    sign = -1 if amount < 0 else 1
    return {key: Decimal(sign * part).scaleb(-digits) for key, part in parts.items() if part}


def split_quantity(quantity: Decimal, weights: Mapping[Key, Fraction]) -> dict[Key, Decimal]:
    """Divide a quantity in proportion, to 24 decimals; the last part takes what is left."""
    whole = _sum_of(weights)
    *others, last = sorted(key for key, weight in weights.items() if weight)
    parts = {key: prorate(quantity, weights[key] / whole) for key in others}
    parts[last] = quantity - sum(parts.values(), ZERO)
    return parts


def _sum_of(weights: Mapping[Key, Fraction]) -> Fraction:
    whole = sum(weights.values(), Fraction(0))
    if whole <= 0 or any(weight < 0 for weight in weights.values()):
        raise ValueError("weights are above zero, or zero beside others")
    return whole
