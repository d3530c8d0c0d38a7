"""The stretches that a billing period is divided into, by the plan version in force. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from fractions import Fraction

from backend.pricing.charges.rate_card import MeteredQuantity
from backend.pricing.periods import BillingPeriod
from backend_client.types.charges import Cadence, FlatCharge, FlatPer
from backend_client.types.plan_terms import Proration
from backend_client.types.plans import PlanDefinition


@dataclass(frozen=True, slots=True)
class Had:
    """The most seats, and the most of each add-on, since a tenant took a plan up."""

    seats: int
    add_ons: Mapping[str, int]

    def how_many(self, charge: FlatCharge) -> int:
        """Return how many times a flat fee would be asked for with all of them."""
        return _how_many(charge, self.seats, self.add_ons)


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of a billing period in which one plan version applied; none when ``plan`` is None.

    ``add_ons`` has how many of each add-on's charge are chosen. On ``trial`` nothing is asked for.
    ``years_since`` is where the years of the plan's yearly fees are counted from; None for a period
    that stands alone, as a simulated one does: it has a twelfth of each. ``before``, on a period's
    first stretch, is what applied just before it, without usage: yearly fees need to know what was
    asked for then. ``had`` is what fees that are asked for once were asked for before.
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
    had: Had | None = None

    def how_many(self, charge: FlatCharge) -> int:
        """Return how many times a flat fee is asked for: once, by the seat, or by the add-on."""
        return _how_many(charge, self.seats, self.add_ons)

    def share(self, period: BillingPeriod) -> Fraction:
        """Return which part of ``period`` this is, counted as the plan's fees are divided."""
        by_day = self.plan is not None and self.plan.proration is Proration.DAY
        return (period.share_in_days if by_day else period.share)(self.start, self.end)


def without_minimums(stretch: Stretch) -> Stretch:
    """Return a stretch whose plan asks for what is used and for fees, however little that is.

    What is missing to a minimum is known when the period ends, and not asked for before.
    """
    if stretch.plan is None:
        return stretch
    charges = [
        charge if isinstance(charge, FlatCharge) else charge.model_copy(update={"minimum": None})
        for charge in stretch.plan.charges
    ]
    plan = stretch.plan.model_copy(update={"minimum": None, "charges": charges})
    return replace(stretch, plan=plan)


def term_fees(plan: PlanDefinition) -> list[FlatCharge]:
    """Return the fees of a plan that are for longer than a month: a quarter or a year."""
    return [charge for charge in fees_since_taken_up(plan) if charge.cadence is not Cadence.ONCE]


def fees_since_taken_up(plan: PlanDefinition) -> list[FlatCharge]:
    """Return the fees that go by when the plan was taken up: all but those for a month."""
    return [
        charge
        for charge in plan.charges
        if isinstance(charge, FlatCharge) and charge.cadence is not Cadence.MONTH
    ]


def _how_many(charge: FlatCharge, seats: int, add_ons: Mapping[str, int]) -> int:
    match charge.per:
        case FlatPer.SUBSCRIPTION:
            return 1
        case FlatPer.SEAT:
            return max(seats - charge.included, 0)
        case FlatPer.ADD_ON:
            return add_ons.get(charge.id, 0)
