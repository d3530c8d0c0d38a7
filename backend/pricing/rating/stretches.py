"""The stretches that a billing period is divided into, by the plan version in force. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from backend.pricing.charges.rate_card import MeteredQuantity
from backend_client.types.charges import Cadence, FlatCharge, FlatPer
from backend_client.types.plans import PlanDefinition


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of a billing period in which one plan version applied; none when ``plan`` is None.

    ``add_ons`` has how many of each add-on's charge are chosen. On ``trial`` nothing is asked for.
    ``years_since`` is where the years of the plan's yearly fees are counted from; None for a period
    that stands alone, as a simulated one does: it has a twelfth of each. ``before``, on a period's
    first stretch, is what applied just before it, without usage: yearly fees need to know what was
    asked for then.
    """

    plan: PlanDefinition | None
    plan_version: int
    start: datetime
    end: datetime
    usage: Sequence[MeteredQuantity] = ()
    seats: int = 1
    add_ons: Mapping[str, int] = field(default_factory=dict)
    trial: bool = False
    years_since: datetime | None = None
    before: Stretch | None = None

    def how_many(self, charge: FlatCharge) -> int:
        """Return how many times a flat fee is asked for: once, by the seat, or by the add-on."""
        match charge.per:
            case FlatPer.SUBSCRIPTION:
                return 1
            case FlatPer.SEAT:
                return max(self.seats - charge.included, 0)
            case FlatPer.ADD_ON:
                return self.add_ons.get(charge.id, 0)


def yearly_charges(plan: PlanDefinition) -> list[FlatCharge]:
    """Return the fees of a plan that are for a year."""
    return [
        charge
        for charge in plan.charges
        if isinstance(charge, FlatCharge) and charge.cadence is Cadence.YEAR
    ]
