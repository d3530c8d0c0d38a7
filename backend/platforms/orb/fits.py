"""Whether Orb can rate a plan's usage as we do. Pure.

Orb prices what a metric counts over a billing period: by the unit, in tiers, or all of it by the
tier that it reaches. A metric is a query of ours over the events, so that it may add up several
meters and models.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from backend.platforms.obstacles import charge_obstacles, plan_obstacles
from backend.platforms.orb.prices import number
from backend_client.types.charges import Charge, GraduatedCharge, PerUnitCharge, VolumeCharge
from backend_client.types.plans import PlanDefinition


def obstacles(plan: PlanDefinition, currency: str) -> list[str]:
    """Return why Orb can't rate a plan, naming the charge; nothing if it can."""
    of_charges = (why for charge in plan.charges for why in _of(charge))
    return [*plan_obstacles(plan, currency), *of_charges]


def _of(charge: Charge) -> Iterator[str]:
    yield from charge_obstacles(charge)
    if not isinstance(charge, PerUnitCharge | GraduatedCharge | VolumeCharge):
        return
    subject = f"Charge {charge.id!r}"
    if isinstance(charge, VolumeCharge) and charge.included:
        yield f"{subject} has included units, which bulk prices can't leave out."
    if charge.models is None:
        yield f"{subject} prices all models: name them, since each is counted there by itself."
    if not isinstance(charge, PerUnitCharge) and any(tier.flat_fee for tier in charge.tiers):
        yield f"{subject} has a tier with a fee, which Orb's tiers have not."
    if not all(_is_number(bound) for bound in _bounds(charge)):
        yield f"{subject} has a bound with more digits than a number of Orb's."


def counted_pairs(
    charge: PerUnitCharge | GraduatedCharge | VolumeCharge,
) -> list[tuple[str, str]]:
    """Return each meter and model that a charge adds up."""
    return [(meter, model) for meter in charge.meters for model in charge.models or ()]


def _bounds(charge: PerUnitCharge | GraduatedCharge | VolumeCharge) -> list[Decimal]:
    tiers = [] if isinstance(charge, PerUnitCharge) else charge.tiers
    bounds = [tier.up_to + charge.included for tier in tiers if tier.up_to is not None]
    return [charge.included, *bounds]


def _is_number(value: Decimal) -> bool:
    try:
        number(value)
    except ValueError:
        return False
    return True
