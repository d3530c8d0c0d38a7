"""Coupons: what comes off a period's bill after the plans' own terms. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from backend.pricing.money import ZERO, round_to_minor_unit
from backend.pricing.rating.adjustments import Adjustment, fill, shares


@dataclass(frozen=True, slots=True)
class CouponTerms:
    """Takes ``percent`` or ``amount`` off what the plans in ``plans`` (None: all) ask for."""

    id: str
    name: str
    percent: Decimal | None = None
    amount: Decimal | None = None
    plans: frozenset[str] | None = None


def apply_coupons(
    coupons: Sequence[CouponTerms], accrued: Mapping[str, Decimal], currency: str
) -> list[Adjustment]:
    """Return what the coupons take off, each from what the ones before left.

    ``accrued`` has what each plan costs the period, rounded. No more than that comes off: the rest
    of an amount is lost. Run it in ``money.exact_arithmetic()``.
    """
    left = {plan: max(amount, ZERO) for plan, amount in accrued.items()}
    adjustments = []
    for coupon in coupons:
        eligible = [plan for plan in left if coupon.plans is None or plan in coupon.plans]
        if coupon.percent is not None:
            off = shares(left, eligible, coupon.percent, currency)
            exact = sum((left[plan] for plan in eligible), ZERO) * coupon.percent / 100
        else:
            off = fill(left, eligible, round_to_minor_unit(coupon.amount or ZERO, currency))
            exact = sum(off.values(), ZERO)
        for plan, amount in off.items():
            left[plan] -= amount
        if taken := round_to_minor_unit(exact, currency):
            adjustments.append(Adjustment("coupon", coupon.id, coupon.name, "", 0, -exact, -taken))
    return adjustments
