"""Laws that rating keeps for every plan and every usage."""

from __future__ import annotations

import random
from collections import Counter
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.pricing.charges import price_quantity
from backend.pricing.money import exact_arithmetic, round_to_minor_unit
from backend.pricing.rating import FALLBACK_METERS, MeteredQuantity, RatedPeriod, Stretch, rate
from backend_client.types.plans import FlatCharge, GraduatedCharge, PlanDefinition, Tier
from tests.pricing.strategies import (
    PERIOD,
    QUARTERS,
    between,
    metered,
    plans,
    quantities,
    tiers,
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
    for one in usage:
        part = (one.quantity * dice.randint(0, 1000) / 1000).quantize(Decimal("1e-9"))
        pieces.append(MeteredQuantity(one.model, one.meter, part))
        pieces.append(MeteredQuantity(one.model, one.meter, one.quantity - part))
    dice.shuffle(pieces)
    assert rated(whole(plan, pieces)) == rated(whole(plan, usage))


@given(plans(), usages, st.integers(1, QUARTERS - 1), st.randoms(use_true_random=False))
def test_where_a_stretch_of_one_plan_is_cut_changes_nothing(
    plan: PlanDefinition, usage: list[MeteredQuantity], cut: int, dice: random.Random
) -> None:
    early = [one for one in usage if dice.random() < 0.5]
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
    difference = abs(changed.exact_total - unchanged.exact_total)
    assert difference < Decimal("1e-20")  # a fee's two shares may not end
    assert sum(line.included for line in changed.lines) == sum(
        line.included for line in unchanged.lines
    )


@given(plans(), usages, metered)
def test_more_usage_never_costs_less(
    plan: PlanDefinition, usage: list[MeteredQuantity], more: MeteredQuantity
) -> None:
    before, after = rated(whole(plan, usage)), rated(whole(plan, [*usage, more]))
    assert after.exact_total >= before.exact_total
    assert after.total >= before.total


@given(plans(), plans("other"), usages, usages)
def test_the_total_is_the_sum_of_the_rounded_lines(
    plan: PlanDefinition,
    other: PlanDefinition,
    early: list[MeteredQuantity],
    late: list[MeteredQuantity],
) -> None:
    bill = rated(between(plan, 0, 7, early), between(other, 7, QUARTERS, late))
    with exact_arithmetic():
        assert bill.total == sum(line.amount for line in bill.lines)
        assert bill.exact_total == sum(line.exact for line in bill.lines)
    for line in bill.lines:
        assert line.amount == round_to_minor_unit(line.exact, "USD")
        assert line.quantity == line.included + line.billable


@given(plans(), usages)
def test_all_usage_is_in_a_line_or_unpriced(
    plan: PlanDefinition, usage: list[MeteredQuantity]
) -> None:
    bill = rated(whole(plan, usage))
    in_lines = sum(line.quantity for line in bill.lines if not isinstance(line.charge, FlatCharge))
    unpriced = sum(one.quantity for one in bill.unpriced)
    assert in_lines + unpriced == sum(one.quantity for one in usage)


@given(tiers(), quantities, quantities, quantities)
def test_graduated_is_the_integral_of_the_price_over_the_units(
    price_tiers: list[Tier], included: Decimal, before: Decimal, quantity: Decimal
) -> None:
    charge = GraduatedCharge(
        id="c", name="C", meters=["m"], unit_size=1000, included=included, tiers=price_tiers
    )

    def integral(units: Decimal) -> Fraction:
        area, floor = Fraction(0), Fraction(0)
        above_included = max(Fraction(units) - Fraction(included), Fraction(0))
        for tier in price_tiers:
            ceiling = above_included if tier.up_to is None else Fraction(tier.up_to)
            width = max(min(above_included, ceiling) - floor, Fraction(0))
            area += width * Fraction(tier.price) / 1000
            floor = max(floor, ceiling)
        return area

    with exact_arithmetic():
        priced = price_quantity(charge, before, quantity)
        assert Fraction(priced.amount) == integral(before + quantity) - integral(before)
        assert sum(tier.quantity for tier in priced.tiers) == priced.billable


@given(plans(), st.lists(st.tuples(st.sampled_from(["large", "small"]), st.integers(0, 30))))
def test_agrees_with_pricing_unit_after_unit(
    plan: PlanDefinition, calls: list[tuple[str, int]]
) -> None:
    """An oracle that knows nothing of sums: it walks the units one by one."""
    scaled = plan.model_copy(
        update={"charges": [_in_small_units(charge) for charge in plan.charges]}
    )
    owed: dict[str, Fraction] = {}
    seen: dict[str, int] = {}
    for model, count in calls:
        charge = _charge_by_hand(scaled, model, "reasoning_tokens")
        if charge is None:
            continue
        for _ in range(count):
            seen[charge.id] = seen.get(charge.id, 0) + 1
            position = seen[charge.id] - int(charge.included)
            if position <= 0:
                continue
            price = (
                next(t.price for t in charge.tiers if t.up_to is None or position <= t.up_to)
                if isinstance(charge, GraduatedCharge)
                else charge.price
            )
            owed[charge.id] = owed.get(charge.id, Fraction(0)) + Fraction(price) / charge.unit_size
    usage = [MeteredQuantity(model, "reasoning_tokens", Decimal(count)) for model, count in calls]
    bill = rated(whole(scaled, usage))
    by_charge = {
        line.charge.id: Fraction(line.exact)
        for line in bill.lines
        if not isinstance(line.charge, FlatCharge) and line.exact
    }
    assert by_charge == {charge: amount for charge, amount in owed.items() if amount}


def _in_small_units(charge):
    """Tiers and included units small enough to be walked through."""
    if isinstance(charge, FlatCharge):
        return charge
    update = {"included": Decimal(int(charge.included) % 20)}
    if isinstance(charge, GraduatedCharge):
        last = len(charge.tiers) - 1
        update["tiers"] = [
            Tier(up_to=None if index == last else Decimal(7 * (index + 1)), price=tier.price)
            for index, tier in enumerate(charge.tiers)
        ]
    return charge.model_copy(update=update)


def _charge_by_hand(plan, model, meter):
    for wanted in (meter, FALLBACK_METERS.get(meter)):
        for named in (True, False):
            for charge in plan.charges:
                if isinstance(charge, FlatCharge) or wanted not in charge.meters:
                    continue
                if (
                    (model in charge.models)
                    if named and charge.models
                    else not (named or charge.models)
                ):
                    return charge
    return None
