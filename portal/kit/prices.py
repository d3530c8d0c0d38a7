"""Prices of charges in words, a way for each kind. Plain functions."""

from __future__ import annotations

from decimal import Decimal
from typing import assert_never

from backend_client.types.charges import (
    Cadence,
    GraduatedCharge,
    PackageCharge,
    PercentageCharge,
    PerUnitCharge,
    TieredCharge,
    UsageCharge,
    VolumeCharge,
)
from backend_client.types.common import plain
from portal.kit.formatting import compact, exact_money, unit_price


def often(cadence: Cadence) -> str:
    """How often a fee is asked for."""
    return "once" if cadence is Cadence.ONCE else f"a {cadence.value}"


def priced_for(price: Decimal, charge: TieredCharge, currency: str) -> str:
    """A tier's price with the units that it buys: a package, or the charge's unit size."""
    if charge.package_size is not None:
        return f"{exact_money(price, currency)} per package of {compact(charge.package_size)}"
    return unit_price(price, charge.unit_size, currency)


def first_units(charge: UsageCharge, currency: str, *, free: str = "Free") -> str:
    """What a charge's first units cost: ``$0.15 per 1M``, ``20%``, or the word for nothing."""
    match charge:
        case PerUnitCharge():
            return unit_price(charge.price, charge.unit_size, currency) if charge.price else free
        case PackageCharge():
            size = compact(charge.package_size)
            return f"{exact_money(charge.price, currency)} per package of {size}"
        case PercentageCharge():
            return f"{plain(charge.percent)}%"
        case GraduatedCharge() | VolumeCharge():
            first = charge.tiers[0].price
            return priced_for(first, charge, currency) if first else free
        case _:
            assert_never(charge)


def priced_units(charge: UsageCharge) -> str:
    """What a charge's price is for, beside the field that has it: ``for 1M``, ``percent``."""
    match charge:
        case PerUnitCharge():
            return f"for {compact(charge.unit_size)}"
        case PackageCharge():
            return f"for {compact(charge.package_size)}"
        case PercentageCharge():
            return "percent"
        case GraduatedCharge() | VolumeCharge():
            return f"for {compact(charge.priced_units)}"
        case _:
            assert_never(charge)
