"""Limits, pools and discounts, rated by hand."""

from __future__ import annotations

from decimal import Decimal

import pytest

from backend.pricing.rating.rated_period import MeteredQuantity, RatedPeriod, Stretch, rate
from backend_client.types.charges import FlatCharge, PerUnitCharge
from backend_client.types.plan_terms import Discount, IncludedPool
from backend_client.types.plans import PlanDefinition
from tests.pricing.strategies import PERIOD, between, whole

pytestmark = pytest.mark.fast


def charge(name: str, price: str, **more: object) -> PerUnitCharge:
    """A price per thousand of a meter of the same name."""
    return PerUnitCharge(
        id=name, name=name, meters=[name], unit_size=1000, price=Decimal(price), **more
    )


def plan(*charges: PerUnitCharge | FlatCharge, **more: object) -> PlanDefinition:
    return PlanDefinition(id="plan", name="Plan", charges=list(charges), **more)


def used(meter: str, quantity: int) -> MeteredQuantity:
    return MeteredQuantity("any", meter, Decimal(quantity))


def rated(*stretches: Stretch) -> RatedPeriod:
    return rate(stretches, PERIOD, "USD")


def adjustments(bill: RatedPeriod) -> list[tuple[str, str, str]]:
    return [
        (adjustment.kind, adjustment.id, str(adjustment.amount)) for adjustment in bill.adjustments
    ]


def test_a_maximum_takes_off_what_is_above_it() -> None:
    capped = plan(charge("a", "2", maximum=Decimal("15.50")))
    bill = rated(whole(capped, [used("a", 10_000)]))
    assert adjustments(bill) == [("maximum", "a", "-4.50")]
    assert str(bill.total) == "15.50"


def test_a_maximum_is_had_once_a_period_over_versions() -> None:
    capped = plan(charge("a", "2", maximum=Decimal(15)))
    bill = rated(
        between(capped, 0, 96, [used("a", 6_000)]),
        between(capped, 96, 31 * 96, [used("a", 6_000)], version=2),
    )
    assert adjustments(bill) == [("maximum", "a", "-9.00")]
    assert str(bill.total) == "15.00"


def test_a_minimum_is_asked_for_without_usage_and_prorated() -> None:
    least = plan(charge("a", "2", minimum=Decimal(31)))
    assert adjustments(rated(whole(least, []))) == [("minimum", "a", "31.00")]
    from_the_11th = rated(between(least, 10 * 96, 31 * 96, [used("a", 3_000)]))
    assert adjustments(from_the_11th) == [("minimum", "a", "15.00")]  # 21 - 6


def test_a_plans_minimum_comes_after_discounts() -> None:
    least = plan(
        charge("a", "1"),
        FlatCharge(id="fee", name="Fee", price=Decimal(10)),
        discounts=[Discount(id="half", name="Half", percent=Decimal(50))],
        minimum=Decimal(20),
    )
    bill = rated(whole(least, [used("a", 12_000)]))
    assert adjustments(bill) == [("discount", "half", "-11.00"), ("minimum", "plan", "9.00")]
    assert str(bill.total) == "20.00"


def test_a_percentage_is_of_the_whole_and_rounded_once() -> None:
    """Ten lines of 4 cents: a tenth of each would be nothing."""
    many = plan(
        *(charge(f"m{index}", "1") for index in range(10)),
        discounts=[Discount(id="tenth", name="Tenth", percent=Decimal(10))],
    )
    bill = rated(whole(many, [used(f"m{index}", 40) for index in range(10)]))
    assert adjustments(bill) == [("discount", "tenth", "-0.04")]
    assert str(bill.total) == "0.36"


def test_discounts_apply_in_order_each_on_what_is_left() -> None:
    stacked = plan(
        charge("a", "1"),
        charge("b", "1"),
        discounts=[
            Discount(id="ten", name="Ten", amount=Decimal(10), charges=["a"]),
            Discount(id="half", name="Half", percent=Decimal(50)),
            Discount(id="all", name="All of b", percent=Decimal(100), charges=["b"]),
        ],
    )
    bill = rated(whole(stacked, [used("a", 30_000), used("b", 7_000)]))
    assert adjustments(bill) == [
        ("discount", "ten", "-10.00"),
        ("discount", "half", "-13.50"),  # (20 + 7) / 2
        ("discount", "all", "-3.50"),
    ]
    assert str(bill.total) == "10.00"


def test_a_discounts_amount_never_exceeds_what_there_is_and_is_had_once() -> None:
    credit = plan(charge("a", "1"), discounts=[Discount(id="ten", name="Ten", amount=Decimal(10))])
    bill = rated(
        between(credit, 0, 96, [used("a", 6_000)]),
        between(credit, 96, 31 * 96, [used("a", 6_000)], version=2),
    )
    assert adjustments(bill) == [("discount", "ten", "-6.00"), ("discount", "ten", "-4.00")]
    assert str(bill.total) == "2.00"


def test_a_pool_is_drawn_on_in_its_order_after_what_a_charge_includes() -> None:
    pooled = plan(
        charge("cheap", "1"),
        charge("dear", "10", included=Decimal(1_000)),
        pools=[IncludedPool(id="p", name="P", charges=["dear", "cheap"], quantity=Decimal(5_000))],
    )
    bill = rated(whole(pooled, [used("cheap", 4_000), used("dear", 4_000)]))
    lines = {line.charge.id: (line.included, str(line.amount)) for line in bill.lines}
    assert lines == {"cheap": (2_000, "2.00"), "dear": (4_000, "0.00")}


def test_a_pool_is_had_once_a_period_over_versions() -> None:
    pooled = plan(
        charge("a", "1"),
        pools=[IncludedPool(id="p", name="P", charges=["a"], quantity=Decimal(5_000))],
    )
    bill = rated(
        between(pooled, 0, 96, [used("a", 4_000)]),
        between(pooled, 96, 31 * 96, [used("a", 4_000)], version=2),
    )
    assert [(line.included, str(line.amount)) for line in bill.lines] == [
        (4_000, "0.00"),
        (1_000, "3.00"),
    ]


@pytest.mark.parametrize(
    "fields",
    [
        {"pools": [{"id": "p", "name": "P", "charges": ["fee"], "quantity": 1}]},
        {"pools": [{"id": "p", "name": "P", "charges": ["a", "a"], "quantity": 1}]},
        {"discounts": [{"id": "d", "name": "D", "percent": 5, "charges": ["z"]}]},
        {"discounts": [{"id": "d", "name": "D"}]},
        {"discounts": [{"id": "d", "name": "D", "percent": 5, "amount": 5}]},
        {"discounts": [{"id": "d", "name": "D", "percent": 101}]},
        {"discounts": [{"id": "d", "name": "D", "percent": 5}] * 2},
    ],
)
def test_a_plan_that_makes_no_sense_is_refused(fields: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="validation error"):
        plan(charge("a", "1"), FlatCharge(id="fee", name="Fee", price=Decimal(1)), **fields)


def test_a_charges_minimum_must_not_be_above_its_maximum() -> None:
    with pytest.raises(ValueError, match="above the maximum"):
        charge("a", "1", minimum=Decimal(2), maximum=Decimal(1))
