"""Divides an amount by weights, to the last digit kept. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Context, Decimal, localcontext
from typing import Any, TypeVar

from backend.pricing.money import FRACTION_DIGITS

Share = TypeVar("Share", bound=Any)
_PRECISE = Context(prec=60)  # a share may be endless
_KEPT = Decimal(1).scaleb(-FRACTION_DIGITS)


def shared(amount: Decimal, weights: Mapping[Share, Decimal]) -> dict[Share, Decimal]:
    """Return each one's share of an amount; the last has the rest, so that they add up to it.

    The weights add up to more than nothing.
    """
    with localcontext(_PRECISE):
        whole = sum(weights.values(), Decimal(0))
        *others, last = sorted(weights)
        shares = {name: (amount * weights[name] / whole).quantize(_KEPT) for name in others}
        return {**shares, last: amount - sum(shares.values(), Decimal(0))}
