"""Random plans and usage for the laws of rating."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import get_args

from hypothesis import strategies as st

from backend.pricing.periods import BillingPeriod
from backend.pricing.rating.rated_period import MeteredQuantity, Stretch
from backend_client.types.charges import (
    ChargeKind,
    FlatCharge,
    GraduatedCharge,
    PackageCharge,
    PercentageCharge,
    PerUnitCharge,
    Tier,
    VolumeCharge,
)
from backend_client.types.plan_terms import Discount, IncludedPool
from backend_client.types.plans import PlanDefinition

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

# Made once: Hypothesis checks a strategy when it is first drawn from, longer than it takes to draw
_free = st.just(Decimal(0)) | quantities
_fees = st.just(Decimal(0)) | prices
_models = st.sampled_from([None, ["large"], ["large", "small"]])
_unit_sizes = st.sampled_from([1, 1_000, 1_000_000])
_package_sizes = st.integers(1, 10_000)
_some_package_size = st.none() | _package_sizes
_minimums = st.none() | st.decimals(0, 5, places=4)
_maximums = st.none() | st.decimals(5, 500, places=4)
_shares = st.decimals(0, 150, places=4)
_meters_in_any_order = st.permutations(METERS)
_plan_minimums = st.none() | prices
_plan_maximums = st.none() | st.decimals(100, 2_000, places=4)
_off = st.fixed_dictionaries({"percent": st.decimals(0, 100, places=3)}) | st.fixed_dictionaries(
    {"amount": st.decimals(0, 50, places=3)}
)


@st.composite
def tiers(draw: st.DrawFn, package_size: int | None = None) -> list[Tier]:
    size = package_size or 1
    bounds = sorted(draw(st.sets(st.integers(1, 2_000_000 // size), max_size=3)))
    return [
        Tier(up_to=bound, price=draw(prices), flat_fee=draw(_fees))
        for bound in [*(Decimal(bound * size) for bound in bounds), None]
    ]


@st.composite
def tiered(draw: st.DrawFn) -> dict[str, object]:
    """The tiers of a charge, and the package that their prices are for if it has one."""
    size = draw(_some_package_size)
    return {"package_size": size, "tiers": draw(tiers(size))}


KINDS = tuple(kind for kind in get_args(ChargeKind) if kind != "flat")


@st.composite
def usage_charges(draw: st.DrawFn, charge_id: str, meters: list[str], kinds: tuple[str, ...]):
    fields = {
        "id": charge_id,
        "name": "A charge",
        "meters": meters,
        "models": draw(_models),
        "included": draw(_free),
        "included_per_seat": draw(_free),
        "minimum": draw(_minimums),
        "maximum": draw(_maximums),
    }
    sizes = {"unit_size": draw(_unit_sizes)}
    match draw(st.sampled_from(kinds)):
        case "per_unit":
            return PerUnitCharge(**fields, **sizes, price=draw(prices))
        case "graduated":
            return GraduatedCharge(**fields, **sizes, **draw(tiered()))
        case "volume":
            return VolumeCharge(**fields, **sizes, **draw(tiered()))
        case "package":
            size = draw(_package_sizes)
            return PackageCharge(**fields, package_size=size, price=draw(prices))
        case "percentage":
            return PercentageCharge(**fields, percent=draw(_shares))
        case kind:
            raise NotImplementedError(f"draw a charge of the kind {kind}")


@st.composite
def plans(draw: st.DrawFn, plan_id: str = "plan", kinds: tuple[str, ...] = KINDS) -> PlanDefinition:
    """A plan that prices some of the meters, each by one charge of its own or a shared one."""
    charges = []
    unpriced = list(draw(_meters_in_any_order))
    while unpriced and len(charges) < 4:
        taken = [unpriced.pop() for _ in range(min(len(unpriced), draw(st.integers(1, 2))))]
        charges.append(draw(usage_charges(f"charge-{len(charges)}", taken, kinds)))
    names = [charge.id for charge in charges]
    pools = []
    if draw(st.booleans()):
        drawing = draw(st.permutations(names))[: draw(st.integers(1, len(names)))]
        of_all, each = draw(quantities), draw(_free)
        pools.append(
            IncludedPool(
                id="pool", name="Pool", charges=drawing, quantity=of_all, quantity_per_seat=each
            )
        )
    if draw(st.booleans()):
        charges.append(FlatCharge(id="fee", name="Fee", price=draw(prices)))
    return PlanDefinition(
        id=plan_id,
        name="Plan",
        charges=charges,
        pools=pools,
        discounts=draw(discounts(names)),
        minimum=draw(_plan_minimums),
        maximum=draw(_plan_maximums),
    )


@st.composite
def discounts(draw: st.DrawFn, charges: list[str]) -> list[Discount]:
    """One discount on some charges, or up to three on all of the plan."""
    if draw(st.booleans()):
        some = draw(st.lists(st.sampled_from(charges), min_size=1, unique=True))
        return [draw(discount("part", some))]
    return [draw(discount(f"whole-{index}", None)) for index in range(draw(st.integers(0, 3)))]


@st.composite
def discount(draw: st.DrawFn, discount_id: str, charges: list[str] | None) -> Discount:
    return Discount(id=discount_id, name="Discount", charges=charges, **draw(_off))


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
