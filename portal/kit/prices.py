"""Prices of charges in words. Plain functions."""

from __future__ import annotations

from decimal import Decimal

from backend_client.types.charges import Cadence, GraduatedCharge, VolumeCharge
from portal.kit.formatting import compact, exact_money, unit_price


def often(cadence: Cadence) -> str:
    """How often a fee is asked for."""
    return "once" if cadence is Cadence.ONCE else f"a {cadence.value}"


def priced_for(price: Decimal, charge: GraduatedCharge | VolumeCharge, currency: str) -> str:
    """A tier's price with the units that it buys: a package, or the charge's unit size."""
    if charge.package_size is not None:
        return f"{exact_money(price, currency)} per package of {compact(charge.package_size)}"
    return unit_price(price, charge.unit_size, currency)
