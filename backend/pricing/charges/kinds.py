"""What each kind of charge makes of a quantity. Exact: nothing here rounds.

Units are priced as the ones from ``before`` to ``before + units`` of the period's billable units,
so that usage which is split over plan versions continues in the tier that it had reached.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import assert_never

from backend.pricing.money import ZERO
from backend_client.types.charges import (
    FlatCharge,
    GraduatedCharge,
    PackageCharge,
    PercentageCharge,
    PerUnitCharge,
    Tier,
    TieredCharge,
    UsageCharge,
    VolumeCharge,
)
from backend_client.types.plans import PlanDefinition


@dataclass(frozen=True, slots=True)
class PricedTier:
    """The units that fell in a tier; ``amount`` is their price and, once, the tier's flat fee.

    Of packages they are all the units of those that were begun.
    """

    up_to: Decimal | None
    price: Decimal
    flat_fee: Decimal
    quantity: Decimal
    amount: Decimal


@dataclass(frozen=True, slots=True)
class PricedUnits:
    """The unrounded price of some units, and how tiers made it."""

    amount: Decimal
    tiers: tuple[PricedTier, ...] = ()


def price_units(
    charge: UsageCharge, before: Decimal, units: Decimal, total: Decimal
) -> PricedUnits:
    """Price ``units`` that follow ``before`` others, in a period of ``total`` units in the end.

    Run it in ``money.exact_arithmetic()``. Raises ``ValueError`` if a quantity is negative or there
    are more units than ``total``.
    """
    if before < 0 or units < 0 or before + units > total:
        raise ValueError(f"charge {charge.id}: {before} and {units} units of {total} can't be")
    if not units:
        return PricedUnits(ZERO)
    match charge:
        case PerUnitCharge(price=price, unit_size=unit_size):
            return PricedUnits(units * price / unit_size)
        case PercentageCharge(percent=percent):
            return PricedUnits(units * percent / 100)
        case PackageCharge(package_size=size, price=price):
            return PricedUnits((_packages(before + units, size) - _packages(before, size)) * price)
        case GraduatedCharge(tiers=tiers):
            start, end = _whole(charge, before), _whole(charge, before + units)
            priced = tuple(_graduated(tiers, charge.priced_units, start, end))
        case VolumeCharge(tiers=tiers):
            reached = next(tier for tier in tiers if tier.up_to is None or total <= tier.up_to)
            more = _whole(charge, before + units) - _whole(charge, before)
            priced = (_priced(reached, charge.priced_units, more, begins=not before),)
        case _:
            assert_never(charge)
    return PricedUnits(sum((tier.amount for tier in priced), ZERO), priced)


def first_price(charge: UsageCharge) -> tuple[Decimal, int]:
    """Return the price of the first billable units, and how many units it is for."""
    match charge:
        case PerUnitCharge():
            return charge.price, charge.unit_size
        case PercentageCharge():
            return charge.percent / 100, 1
        case PackageCharge():
            return charge.price, charge.package_size
        case GraduatedCharge() | VolumeCharge():
            return charge.tiers[0].price, charge.priced_units
        case _:
            assert_never(charge)


def dearest_price(charge: UsageCharge) -> tuple[Decimal, int]:
    """Return the highest price of any unit, and how many units it is for; no tier's flat fee."""
    match charge:
        case GraduatedCharge() | VolumeCharge():
            return max(tier.price for tier in charge.tiers), charge.priced_units
        case PerUnitCharge() | PercentageCharge() | PackageCharge():
            return first_price(charge)
        case _:
            assert_never(charge)


def asks_for_nothing(plan: PlanDefinition) -> bool:
    """Return whether a plan costs nothing for any usage."""
    prices: list[Decimal] = [plan.minimum or ZERO]
    for charge in plan.charges:
        match charge:
            case GraduatedCharge() | VolumeCharge():
                prices += [part for tier in charge.tiers for part in (tier.price, tier.flat_fee)]
            case PercentageCharge():
                prices.append(charge.percent)
            case PerUnitCharge() | PackageCharge() | FlatCharge():
                prices.append(charge.price)
            case _:
                assert_never(charge)
        if not isinstance(charge, FlatCharge):
            prices.append(charge.minimum or ZERO)
    return not any(prices)


def _graduated(tiers: list[Tier], unit_size: int, start: Decimal, end: Decimal) -> list[PricedTier]:
    priced = []
    floor = ZERO
    for tier in tiers:
        ceiling = end if tier.up_to is None else min(end, tier.up_to)
        units = ceiling - max(start, floor)
        if units > 0:
            priced.append(_priced(tier, unit_size, units, begins=start <= floor))
        if tier.up_to is not None:
            floor = tier.up_to
    return priced


def _priced(tier: Tier, unit_size: int, units: Decimal, *, begins: bool) -> PricedTier:
    fee = tier.flat_fee if begins else ZERO
    return PricedTier(tier.up_to, tier.price, fee, units, units * tier.price / unit_size + fee)


def _whole(charge: TieredCharge, units: Decimal) -> Decimal:
    """Return the units that are paid for: all of each package that is begun."""
    size = charge.package_size
    return units if size is None else _packages(units, size) * size


def _packages(units: Decimal, size: int) -> Decimal:
    whole, rest = divmod(units, size)
    return whole + 1 if rest else whole
