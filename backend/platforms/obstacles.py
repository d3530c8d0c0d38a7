"""What no platform rates as we do, whatever its prices: told of a plan as sentences. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from backend_client.types.charges import (
    Cadence,
    Charge,
    FlatCharge,
    FlatPer,
    GraduatedCharge,
    PerUnitCharge,
    VolumeCharge,
)
from backend_client.types.plans import PlanDefinition


def plan_obstacles(plan: PlanDefinition, currency: str) -> Iterator[str]:
    """Yield what of a plan, beside its charges, is ours alone to rate."""
    if plan.currency != currency:
        yield f"The plan's prices are in {plan.currency}, the tenant pays in {currency}."
    named = {
        "a minimum": plan.minimum,
        "a maximum": plan.maximum,
        "pools": plan.pools,
        "discounts": plan.discounts,
        "grants of credit": plan.grants,
        "prepayment": plan.prepaid,
        "a trial": plan.trial_days,
    }
    yield from (f"The plan has {name}." for name, value in named.items() if value)


def charge_obstacles(charge: Charge) -> Iterator[str]:
    """Yield what of a charge is ours alone to rate: other fees and kinds, hours, labels, bounds."""
    subject = f"Charge {charge.id!r}"
    if isinstance(charge, FlatCharge):
        if charge.per is not FlatPer.SUBSCRIPTION or charge.cadence is not Cadence.MONTH:
            yield f"{subject} is no fee of the month for the subscription."
        if charge.in_advance:
            yield f"{subject} is asked for in advance."
        return
    if not isinstance(charge, PerUnitCharge | GraduatedCharge | VolumeCharge):
        yield f"{subject} is a {charge.kind} charge."
        return
    if charge.window is not None:
        yield f"{subject} has prices by the hour."
    if charge.labels:
        yield f"{subject} prices some labels."
    if charge.minimum is not None or charge.maximum is not None:
        yield f"{subject} has a minimum or a maximum."
    if charge.included_per_seat:
        yield f"{subject} includes units by the seat."
    if not isinstance(charge, PerUnitCharge) and charge.package_size is not None:
        yield f"{subject} sells packages within tiers."


def summed_obstacles(charge: PerUnitCharge | GraduatedCharge | VolumeCharge) -> Iterator[str]:
    """Yield what a platform can't rate whose meters are each one meter of one model of ours."""
    subject = f"Charge {charge.id!r}"
    if len(charge.meters) != 1 or charge.models is None or len(charge.models) != 1:
        yield f"{subject} adds up several meters or models, which are meters of their own there."
    bounds = [] if isinstance(charge, PerUnitCharge) else [tier.up_to for tier in charge.tiers]
    if any(bound is not None and bound % 1 for bound in (*bounds, charge.included)):
        yield f"{subject} has a tier that ends within a unit."
