"""Whether Stripe can rate a plan's usage as we do. Pure.

Stripe adds up a meter over its billing period and prices the sum, in tiers at most. What a plan
says beyond that it can't express: such a plan is billed by our invoices.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from decimal import Decimal

from backend.platforms.obstacles import charge_obstacles, plan_obstacles, summed_obstacles
from backend.platforms.stripe.amounts import stripe_digits
from backend.pricing.money import exact_arithmetic
from backend_client.types.charges import (
    Charge,
    FlatCharge,
    GraduatedCharge,
    PerUnitCharge,
    VolumeCharge,
)
from backend_client.types.plans import PlanDefinition

_MOST_DECIMALS = 12


def obstacles(plan: PlanDefinition, currency: str) -> list[str]:
    """Return why Stripe can't rate a plan, naming the charge; nothing if it can."""
    of_charges = (why for charge in plan.charges for why in _of(charge, currency))
    return [*plan_obstacles(plan, currency), *_overlapping(plan), *of_charges]


def _overlapping(plan: PlanDefinition) -> Iterator[str]:
    priced = Counter(
        (meter, model)
        for charge in plan.charges
        if not isinstance(charge, FlatCharge)
        for meter in charge.meters
        for model in charge.models or ("",)
    )
    general = {meter for meter, model in priced if not model}
    for meter in sorted(general & {meter for meter, model in priced if model}):
        yield f"{meter} has a price for all models and others for some."


def _of(charge: Charge, currency: str) -> Iterator[str]:
    yield from charge_obstacles(charge)
    if not isinstance(charge, PerUnitCharge | GraduatedCharge | VolumeCharge):
        return
    subject = f"Charge {charge.id!r}"
    if isinstance(charge, VolumeCharge) and charge.included:
        yield f"{subject} has included units, which volume tiers can't leave out."
    yield from summed_obstacles(charge)
    if any(not _is_expressible(price, charge.unit_size, currency) for price in _prices(charge)):
        yield f"{subject} has a price with more than 12 decimals of a cent a unit."


def _prices(charge: PerUnitCharge | GraduatedCharge | VolumeCharge) -> list[Decimal]:
    if isinstance(charge, PerUnitCharge):
        return [charge.price]
    return [tier.price for tier in charge.tiers]


def _is_expressible(price: Decimal, unit_size: int, currency: str) -> bool:
    exponent = in_minor_units(price, unit_size, currency).normalize().as_tuple().exponent
    return isinstance(exponent, int) and -exponent <= _MOST_DECIMALS


def in_minor_units(price: Decimal, unit_size: int, currency: str) -> Decimal:
    """Return the price of a single unit in Stripe's unit of the currency."""
    with exact_arithmetic():
        return (price / unit_size).scaleb(stripe_digits(currency))
