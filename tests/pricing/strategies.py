"""Random plans and usage for the laws of rating."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from hypothesis import strategies as st

from backend.pricing.periods import BillingPeriod
from backend.pricing.rating import MeteredQuantity, Stretch
from backend_client.types.plans import (
    FlatCharge,
    GraduatedCharge,
    PerUnitCharge,
    PlanDefinition,
    Tier,
)

MODELS = ("large", "small")
METERS = (
    "requests",
    "input_tokens",
    "cached_input_tokens",
    "output_tokens",
    "reasoning_tokens",
)
PERIOD = BillingPeriod(datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC), "UTC")
QUARTERS = (PERIOD.end - PERIOD.start) // timedelta(minutes=15)

prices = st.decimals(0, 100, places=6)
quantities = st.one_of(st.integers(0, 3_000_000).map(Decimal), st.decimals(0, 10_000, places=9))
metered = st.builds(MeteredQuantity, st.sampled_from(MODELS), st.sampled_from(METERS), quantities)
usages = st.lists(metered, max_size=12)


@st.composite
def tiers(draw: st.DrawFn) -> list[Tier]:
    bounds = sorted(draw(st.sets(st.integers(1, 2_000_000), max_size=3)))
    return [Tier(up_to=bound, price=draw(prices)) for bound in [*map(Decimal, bounds), None]]


@st.composite
def plans(draw: st.DrawFn, plan_id: str = "plan") -> PlanDefinition:
    """A plan that prices some of the meters, each by one charge of its own or a shared one."""
    charges = []
    unpriced = list(draw(st.permutations(METERS)))
    while unpriced and len(charges) < 4:
        taken = [unpriced.pop() for _ in range(min(len(unpriced), draw(st.integers(1, 2))))]
        common = {
            "id": f"charge-{len(charges)}",
            "name": "A charge",
            "meters": taken,
            "models": draw(st.sampled_from([None, ["large"], ["large", "small"]])),
            "unit_size": draw(st.sampled_from([1, 1_000, 1_000_000])),
            "included": draw(st.one_of(st.just(Decimal(0)), quantities)),
        }
        if draw(st.booleans()):
            charges.append(PerUnitCharge(**common, price=draw(prices)))
        else:
            charges.append(GraduatedCharge(**common, tiers=draw(tiers())))
    if draw(st.booleans()):
        charges.append(FlatCharge(id="fee", name="Fee", price=draw(prices)))
    return PlanDefinition(id=plan_id, name="Plan", charges=charges)


def whole(plan: PlanDefinition | None, usage: list[MeteredQuantity], version: int = 1) -> Stretch:
    """All of the period on one plan."""
    return Stretch(plan, version, PERIOD.start, PERIOD.end, usage)


def between(
    plan: PlanDefinition, first: int, last: int, usage: list[MeteredQuantity], version: int = 1
) -> Stretch:
    """The period's quarter hours from ``first`` up to ``last``."""
    quarter = timedelta(minutes=15)
    return Stretch(
        plan, version, PERIOD.start + first * quarter, PERIOD.start + last * quarter, usage
    )
