"""Laws that rating keeps for every plan and every usage."""

from __future__ import annotations

import itertools
import random
from collections import Counter
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.pricing.charges.kinds import price_units
from backend.pricing.money import exact_arithmetic, round_to_minor_unit
from backend.pricing.rating.rated_period import MeteredQuantity, RatedPeriod, Stretch, rate
from backend_client.types.charges import (
    FlatCharge,
    GraduatedCharge,
    PackageCharge,
    PercentageCharge,
    PerUnitCharge,
    Tier,
    VolumeCharge,
)
from backend_client.types.plans import PlanDefinition
from tests.pricing.strategies import (
    KINDS,
    MODELS,
    PERIOD,
    QUARTERS,
    between,
    metered,
    plans,
    prices,
    quantities,
    tiers,
    usage_charges,
    usages,
    whole,
)

pytestmark = pytest.mark.fast


def rated(*stretches: Stretch) -> RatedPeriod:
    return rate(stretches, PERIOD, "USD")


@given(plans(), usages, st.randoms(use_true_random=False))
def test_how_usage_is_split_and_ordered_changes_nothing(
    plan: PlanDefinition, usage: list[MeteredQuantity], dice: random.Random
) -> None:
    pieces = []
    for use in usage:
        part = (use.quantity * dice.randint(0, 1000) / 1000).quantize(Decimal("1e-9"))
        pieces.append(MeteredQuantity(use.model, use.meter, part))
        pieces.append(MeteredQuantity(use.model, use.meter, use.quantity - part))
    dice.shuffle(pieces)
    assert rated(whole(plan, pieces)) == rated(whole(plan, usage))


@given(plans(), usages, st.integers(1, QUARTERS - 1), st.randoms(use_true_random=False))
def test_where_a_stretch_of_one_plan_is_cut_changes_nothing(
    plan: PlanDefinition, usage: list[MeteredQuantity], cut: int, dice: random.Random
) -> None:
    early = [use for use in usage if dice.random() < 0.5]
    late = list((Counter(usage) - Counter(early)).elements())
    assert rated(between(plan, cut, QUARTERS, late), between(plan, 0, cut, early)) == rated(
        whole(plan, usage)
    )


@given(plans(), usages, usages)
def test_a_new_version_that_changes_nothing_costs_nothing(
    plan: PlanDefinition, early: list[MeteredQuantity], late: list[MeteredQuantity]
) -> None:
    changed = rated(between(plan, 0, 1000, early), between(plan, 1000, QUARTERS, late, version=2))
    unchanged = rated(whole(plan, early + late))
    with exact_arithmetic():
        costs = [sum(line.exact for line in bill.lines) for bill in (changed, unchanged)]
        # Charges that share a pool draw on it version by version, so that what comes earlier is
        # free: as many units in all, but it may be cheaper ones.
        if not plan.pools:
            assert abs(costs[0] - costs[1]) < Decimal("1e-20")  # a fee's two shares may not end
        free = [sum(line.included for line in bill.lines) for bill in (changed, unchanged)]
    assert free[0] == free[1]


@given(plans(kinds=("per_unit", "graduated", "package", "percentage")), usages, metered)
def test_more_usage_never_costs_less_unless_by_volume(
    plan: PlanDefinition, usage: list[MeteredQuantity], more: MeteredQuantity
) -> None:
    before, after = rated(whole(plan, usage)), rated(whole(plan, [*usage, more]))
    assert after.total >= before.total


@given(plans(), usages)
def test_no_total_is_negative(plan: PlanDefinition, usage: list[MeteredQuantity]) -> None:
    assert rated(whole(plan, usage)).total >= 0


@given(plans(), usages)
def test_limits_hold(plan: PlanDefinition, usage: list[MeteredQuantity]) -> None:
    """A charge and a plan ask for their minimum at least and their maximum at most."""
    bill = rated(whole(plan, usage))
    asked = {line.charge.id: line.amount for line in bill.lines}
    for adjustment in bill.adjustments:
        if adjustment.kind != "discount":
            asked[adjustment.id] = asked.get(adjustment.id, Decimal(0)) + adjustment.amount
    for charge in plan.charges:
        if isinstance(charge, FlatCharge):
            continue
        if charge.maximum is not None:
            assert asked.get(charge.id, 0) <= round_to_minor_unit(charge.maximum, "USD")
        if charge.minimum is not None:
            assert asked.get(charge.id, 0) >= round_to_minor_unit(charge.minimum, "USD")
    if plan.minimum is not None:
        assert bill.total >= round_to_minor_unit(plan.minimum, "USD")
    if plan.maximum is not None:
        assert bill.total <= round_to_minor_unit(plan.maximum, "USD")


@given(plans(), usages, usages, st.integers(1, QUARTERS - 1))
def test_a_plans_maximum_holds_over_all_its_versions(
    plan: PlanDefinition, early: list[MeteredQuantity], late: list[MeteredQuantity], edge: int
) -> None:
    plan = plan.model_copy(update={"minimum": Decimal(90), "maximum": Decimal(100)})
    bill = rated(between(plan, 0, edge, early), between(plan, edge, QUARTERS, late, version=2))
    assert bill.total <= 100


@given(plans(), plans("other"), usages, usages)
def test_the_total_is_the_sum_of_the_rounded_lines(
    plan: PlanDefinition,
    other: PlanDefinition,
    early: list[MeteredQuantity],
    late: list[MeteredQuantity],
) -> None:
    bill = rated(between(plan, 0, 7, early), between(other, 7, QUARTERS, late))
    with exact_arithmetic():
        parts = [*bill.lines, *bill.adjustments]
        assert bill.total == sum(part.amount for part in parts)
        assert bill.exact_total == sum(part.exact for part in parts)
    for part in parts:
        assert part.amount == round_to_minor_unit(part.exact, "USD")
    for line in bill.lines:
        assert line.quantity == line.included + line.billable


@given(plans(), usages)
def test_all_usage_is_in_a_line_or_unpriced(
    plan: PlanDefinition, usage: list[MeteredQuantity]
) -> None:
    bill = rated(whole(plan, usage))
    in_lines = sum(line.quantity for line in bill.lines if not isinstance(line.charge, FlatCharge))
    unpriced = sum(use.quantity for use in bill.unpriced)
    assert in_lines + unpriced == sum(use.quantity for use in usage)


@given(tiers(), quantities, quantities)
def test_graduated_is_the_integral_of_the_price_over_the_units(
    price_tiers: list[Tier], before: Decimal, units: Decimal
) -> None:
    charge = GraduatedCharge(id="c", name="C", meters=["m"], unit_size=1000, tiers=price_tiers)

    def integral(units: Decimal) -> Fraction:
        area, floor = Fraction(0), Fraction(0)
        for tier in price_tiers:
            ceiling = Fraction(units if tier.up_to is None else tier.up_to)
            if units > floor:
                area += Fraction(tier.flat_fee)
                area += (min(Fraction(units), ceiling) - floor) * Fraction(tier.price) / 1000
            floor = max(floor, ceiling)
        return area

    with exact_arithmetic():
        priced = price_units(charge, before, units, before + units)
        assert Fraction(priced.amount) == integral(before + units) - integral(before)
        assert sum(tier.quantity for tier in priced.tiers) == units


@given(usage_charges("c", ["m"], KINDS), quantities, quantities, quantities)
def test_pricing_in_parts_is_pricing_at_once(
    charge, before: Decimal, first: Decimal, second: Decimal
) -> None:
    with exact_arithmetic():
        total = before + first + second
        parts = price_units(charge, before, first, total).amount
        parts += price_units(charge, before + first, second, total).amount
        assert parts == price_units(charge, before, first + second, total).amount


@given(tiers())
def test_at_a_tiers_edge_graduated_goes_on_and_volume_takes_the_lower_tier(
    price_tiers: list[Tier],
) -> None:
    """The edge is the lower tier's last unit; a hair beyond, graduated adds a hair and the fee."""
    hair = Decimal("1e-9")
    fields = {"id": "c", "name": "C", "meters": ["m"], "unit_size": 1, "tiers": price_tiers}
    graduated, volume = GraduatedCharge(**fields), VolumeCharge(**fields)
    with exact_arithmetic():
        for tier, above in itertools.pairwise(price_tiers):
            edge = tier.up_to
            at = price_units(graduated, Decimal(0), edge, edge).amount
            beyond = price_units(graduated, Decimal(0), edge + hair, edge + hair).amount
            assert beyond - at == above.flat_fee + hair * above.price
            assert price_units(volume, Decimal(0), edge, edge).amount == (
                edge * tier.price + tier.flat_fee
            )
            assert price_units(volume, Decimal(0), edge + hair, edge + hair).amount == (
                (edge + hair) * above.price + above.flat_fee
            )


small_tiers = st.lists(prices, min_size=1, max_size=4).map(
    lambda steps: [
        Tier(
            up_to=None if index == len(steps) - 1 else Decimal(7 * index + 5),
            price=price,
            flat_fee=price,
        )
        for index, price in enumerate(steps)
    ]
)
calls = st.lists(st.tuples(st.sampled_from(MODELS), st.integers(0, 30)), max_size=8)


@given(small_tiers, st.integers(1, 9), st.integers(0, 20), st.sampled_from(KINDS), calls)
def test_agrees_with_pricing_unit_after_unit(
    price_tiers: list[Tier],
    size: int,
    included: int,
    kind: str,
    calls: list[tuple[str, int]],
) -> None:
    """An oracle that knows nothing of sums: it walks the units one by one."""
    fields = {"id": "c", "name": "C", "meters": ["m"], "models": ["large"], "included": included}
    price = price_tiers[0].price
    charge = {
        "per_unit": lambda: PerUnitCharge(**fields, unit_size=1000, price=price),
        "graduated": lambda: GraduatedCharge(**fields, unit_size=1000, tiers=price_tiers),
        "volume": lambda: VolumeCharge(**fields, unit_size=1000, tiers=price_tiers),
        "package": lambda: PackageCharge(**fields, package_size=size, price=price),
        "percentage": lambda: PercentageCharge(**fields, percent=price),
    }[kind]()

    billable = sum(count for model, count in calls if model == "large") - included
    owed, fees_paid = Fraction(0), set()
    for unit in range(1, max(billable, 0) + 1):
        counted = billable if kind == "volume" else unit
        tier = next(t for t in price_tiers if t.up_to is None or counted <= t.up_to)
        if kind in ("graduated", "volume"):
            owed += Fraction(tier.price) / 1000
            if tier.up_to not in fees_paid:
                fees_paid.add(tier.up_to)
                owed += Fraction(tier.flat_fee)
        elif kind == "package":
            owed += Fraction(price) if unit % size == 1 or size == 1 else 0
        else:
            owed += Fraction(price) / (1000 if kind == "per_unit" else 100)

    usage = [MeteredQuantity(model, "m", Decimal(count)) for model, count in calls]
    bill = rated(whole(PlanDefinition(id="plan", name="Plan", charges=[charge]), usage))
    assert Fraction(bill.exact_total) == owed


@given(
    small_tiers,
    st.integers(1, 9),
    st.sampled_from([GraduatedCharge, VolumeCharge]),
    st.integers(0, 200),
)
def test_packages_in_tiers_agree_with_selling_one_after_another(
    price_tiers: list[Tier],
    size: int,
    kind: type[GraduatedCharge | VolumeCharge],
    units: int,
) -> None:
    """A package is begun by each unit that no begun one has room for; it is in one tier whole."""
    sized = [
        tier.model_copy(update={"up_to": tier.up_to and tier.up_to * size}) for tier in price_tiers
    ]
    charge = kind(id="c", name="C", meters=["m"], package_size=size, tiers=sized)
    packages = -(-units // size)
    owed, fees_paid = Decimal(0), set()
    for package in range(1, packages + 1):
        counted = packages if kind is VolumeCharge else package
        tier = next(t for t in price_tiers if t.up_to is None or counted <= t.up_to)
        owed += tier.price + (0 if tier.up_to in fees_paid else tier.flat_fee)
        fees_paid.add(tier.up_to)
    usage = [MeteredQuantity("large", "m", Decimal(units))]
    bill = rated(whole(PlanDefinition(id="plan", name="Plan", charges=[charge]), usage))
    assert bill.exact_total == owed
    assert [line.billable for line in bill.lines] == [units] * bool(units)


@given(plans(), usages)
def test_free_units_are_as_many_as_the_plan_includes(
    plan: PlanDefinition, usage: list[MeteredQuantity]
) -> None:
    """Free is what is used, up to the charge's own included units and then the pool's."""
    lines = {line.charge.id: line for line in rated(whole(plan, usage)).lines}
    pooled = plan.pools[0].charges if plan.pools else []
    pools = [(pool.quantity, pool.quantity_per_seat) for pool in plan.pools]
    left = sum((quantity + each for quantity, each in pools), Decimal(0))  # for the one seat
    for charge_id in pooled:
        if charge_id not in lines:
            continue
        line = lines.pop(charge_id)
        own = line.charge.included + line.charge.included_per_seat
        beyond = max(line.quantity - own, Decimal(0))
        from_pool = min(beyond, left)
        left -= from_pool
        assert line.billable == beyond - from_pool
    for line in lines.values():
        if not isinstance(line.charge, FlatCharge):
            own = line.charge.included + line.charge.included_per_seat
            assert line.included == min(line.quantity, own)
