"""What each kind of charge makes of a quantity. Exact: nothing here rounds.

A quantity is priced as the stretch of units from ``before`` to ``before + quantity`` of the
period, so that usage which is split over plan versions goes on in the tier it had reached.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from backend_client.types.plans import GraduatedCharge, PerUnitCharge, Tier

UsageCharge = PerUnitCharge | GraduatedCharge

_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class PricedTier:
    """The ``quantity`` of units that fell in a tier, and what they cost at its ``price``."""

    up_to: Decimal | None
    price: Decimal
    quantity: Decimal
    amount: Decimal


@dataclass(frozen=True, slots=True)
class PricedQuantity:
    """``quantity = included + billable``, and ``amount`` the unrounded price of the billable."""

    quantity: Decimal
    included: Decimal
    billable: Decimal
    tiers: tuple[PricedTier, ...]
    amount: Decimal


def price_quantity(charge: UsageCharge, before: Decimal, quantity: Decimal) -> PricedQuantity:
    """Price ``quantity`` units that follow ``before`` earlier ones in the same period.

    Raises ``ValueError`` if either is negative. Run it in ``money.exact_arithmetic()``.
    """
    if before < 0 or quantity < 0:
        raise ValueError(f"charge {charge.id}: a quantity is negative")
    start = max(before - charge.included, _ZERO)
    end = max(before + quantity - charge.included, _ZERO)
    billable = end - start
    tiers: tuple[PricedTier, ...] = ()
    match charge:
        case PerUnitCharge(price=price):
            amount = billable * price / charge.unit_size
        case GraduatedCharge():
            tiers = _graduated(charge.tiers, charge.unit_size, start, end)
            amount = sum((tier.amount for tier in tiers), _ZERO)
    return PricedQuantity(quantity, quantity - billable, billable, tiers, amount)


def first_price(charge: UsageCharge) -> Decimal:
    """Return the price of the first billable unit, per ``unit_size``."""
    return charge.price if isinstance(charge, PerUnitCharge) else charge.tiers[0].price


def _graduated(
    tiers: list[Tier], unit_size: int, start: Decimal, end: Decimal
) -> tuple[PricedTier, ...]:
    priced = []
    floor = _ZERO
    for tier in tiers:
        ceiling = end if tier.up_to is None else min(end, tier.up_to)
        units = ceiling - max(start, floor)
        if units > 0:
            priced.append(PricedTier(tier.up_to, tier.price, units, units * tier.price / unit_size))
        if tier.up_to is not None:
            floor = tier.up_to
    return tuple(priced)
