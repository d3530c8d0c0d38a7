"""Whether Amberflo can rate a tenant as we do. Pure.

Amberflo sums a meter over its billing period, prices the sum in tiers, and computes in dollars.
What a plan says beyond that is not carried: such a plan is billed by our invoices.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

from backend.platforms.amberflo.mapping import starts_a_day
from backend.platforms.amberflo.numbers import is_exact
from backend.platforms.obstacles import charge_obstacles, plan_obstacles, summed_obstacles
from backend_client.types.charges import (
    Charge,
    FlatCharge,
    GraduatedCharge,
    PerUnitCharge,
    VolumeCharge,
)
from backend_client.types.plans import PlanDefinition
from backend_client.types.platforms import PlatformMode

CURRENCY: Final = "USD"
_LAST_DAY: Final = 28
"""The last day that every month has."""


def why_refused(mode: PlatformMode, starts_at: datetime) -> str | None:
    """Return why no tenant can be on Amberflo in a mode from then on; None if one can."""
    if mode is not PlatformMode.USAGE:
        return "Amberflo takes no finished invoices: it writes its own, in the mode usage."
    if not starts_a_day(starts_at):
        return (
            "Amberflo's invoices begin at midnight UTC, and this tenant's period does not: "
            f"it begins at {starts_at.isoformat()}."
        )
    if starts_at.astimezone(UTC).day > _LAST_DAY:
        return (
            f"Amberflo does not say how it counts months from a day after the {_LAST_DAY}th: have "
            "the tenant's periods begin on another day."
        )
    return None


def obstacles(plan: PlanDefinition, currency: str) -> list[str]:
    """Return why Amberflo can't rate a plan, naming the charge; nothing if it can."""
    of_charges = (why for charge in plan.charges for why in _of(charge))
    return [*plan_obstacles(plan, currency), *_of_currency(currency), *of_charges]


def _of_currency(currency: str) -> Iterator[str]:
    if currency != CURRENCY:
        yield f"Amberflo computes invoices in {CURRENCY}, the tenant pays in {currency}."


def _of(charge: Charge) -> Iterator[str]:
    subject = f"Charge {charge.id!r}"
    yield from charge_obstacles(charge)
    if isinstance(charge, VolumeCharge):
        yield f"{subject} is a volume charge, and Amberflo publishes no form for its prices."
    elif isinstance(charge, PerUnitCharge | GraduatedCharge):
        yield from summed_obstacles(charge)
        if isinstance(charge, GraduatedCharge) and any(tier.flat_fee for tier in charge.tiers):
            yield f"{subject} has a tier with a fee of its own."
    if not all(is_exact(price) for price in _prices(charge)):
        yield f"{subject} has a price with more than 15 digits."


def _prices(charge: Charge) -> list[Decimal]:
    if isinstance(charge, FlatCharge | PerUnitCharge):
        return [charge.price]
    return [tier.price for tier in charge.tiers] if isinstance(charge, GraduatedCharge) else []
