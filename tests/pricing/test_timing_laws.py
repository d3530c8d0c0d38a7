"""Timing is worth nothing: what a plan gives free of charge comes with its share of the period."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.pricing.credit.grants import Grant
from backend.pricing.credit.shares import credit_of_period, fitted
from backend.pricing.money import exact_arithmetic
from backend.pricing.rating.rated_period import MeteredQuantity, Stretch, rate
from backend_client.types.charges import (
    FlatCharge,
    GraduatedCharge,
    PerUnitCharge,
    Tier,
    VolumeCharge,
)
from backend_client.types.plan_terms import Discount, GrantTerms, IncludedPool, Proration
from backend_client.types.plans import PlanDefinition
from tests.pricing.strategies import PERIOD, QUARTERS, between

pytestmark = pytest.mark.fast

CENT = Fraction(1, 100)

UNIT = PlanDefinition(
    id="unit",
    name="Unit",
    charges=[PerUnitCharge(id="images", name="Images", meters=["images"], unit_size=1, price="1")],
)


def generous(**gift: object) -> PlanDefinition:
    """A plan of 100 a month that gives something away, and asks as much as ``UNIT`` beyond it."""
    charge: dict[str, object] = {"id": "images", "name": "Images", "meters": ["images"]}
    charge |= {"unit_size": 1, "price": "1", "included": gift.pop("included", 0)}
    charge |= {"included_per_seat": gift.pop("included_per_seat", 0)}
    fee = FlatCharge(id="fee", name="Fee", price=Decimal(100))
    return PlanDefinition(
        id="generous", name="Generous", charges=[fee, PerUnitCharge(**charge)], **gift
    )


def tiered(kind: type[GraduatedCharge | VolumeCharge]) -> PlanDefinition:
    tiers = [Tier(up_to=1000, price=0), Tier(up_to=None, price=1)]
    charge = kind(id="images", name="Images", meters=["images"], unit_size=1, tiers=tiers)
    fee = FlatCharge(id="fee", name="Fee", price=Decimal(100))
    return PlanDefinition(id="generous", name="Generous", charges=[fee, charge])


GIFTS = {
    "included": generous(included=1000),
    "pool": generous(
        pools=[IncludedPool(id="pool", name="Pool", charges=["images"], quantity=Decimal(1000))]
    ),
    "included by the seat": generous(included_per_seat=1000),
    "pool by the seat": generous(
        pools=[IncludedPool(id="pool", name="Pool", charges=["images"], quantity_per_seat=1000)]
    ),
    "free tier": tiered(GraduatedCharge),
    "free tier by volume": tiered(VolumeCharge),
    "amount off": generous(
        discounts=[Discount(id="off", name="Off", amount=Decimal(1000), charges=["images"])]
    ),
}
PLANS = {"unit": UNIT, **GIFTS}


def images(count: int) -> list[MeteredQuantity]:
    return [MeteredQuantity("any", "images", Decimal(count))]


@pytest.mark.parametrize("plan", GIFTS.values(), ids=GIFTS)
def test_a_quarter_of_an_hour_buys_no_month(plan: PlanDefinition) -> None:
    """A thousand units in the one quarter hour for which the plan is taken are paid for."""
    bill = rate(
        [
            between(UNIT, 0, 100, []),
            between(plan, 100, 101, images(1000)),
            between(UNIT, 101, QUARTERS, []),
        ],
        PERIOD,
        "USD",
    )
    assert bill.total >= Decimal("999.66")  # 1000 a month is 34 cents a quarter hour
    whole = rate([between(plan, 0, QUARTERS, images(1000))], PERIOD, "USD")
    assert whole.total == 100


@pytest.mark.parametrize("kind", [GraduatedCharge, VolumeCharge])
def test_a_later_version_gives_its_free_tier_for_its_part_of_the_period(
    kind: type[GraduatedCharge | VolumeCharge],
) -> None:
    """Taken for a quarter of an hour, it makes no thousand units free, those before it neither."""
    new = tiered(kind)
    priced = [Tier(up_to=1000, price=1), Tier(up_to=None, price=1)]
    (fee, charge) = new.charges
    old = new.model_copy(update={"charges": [fee, charge.model_copy(update={"tiers": priced})]})
    history = [
        between(old, 0, QUARTERS - 1, []),
        between(new, QUARTERS - 1, QUARTERS, images(1000), version=2),
    ]
    assert rate(history, PERIOD, "USD").total >= Decimal("1099.66")  # the fee, and all but a third
    both = [
        between(new, 0, QUARTERS - 1, images(600)),
        between(new, QUARTERS - 1, QUARTERS, images(400), version=2),
    ]
    assert rate(both, PERIOD, "USD").total == 100


@st.composite
def histories(draw: st.DrawFn) -> list[Stretch]:
    """Any changes between plans in a period, with any usage on each."""
    edges = sorted(draw(st.sets(st.integers(1, QUARTERS - 1), max_size=6)) | {0, QUARTERS})
    names = [draw(st.sampled_from(sorted(PLANS))) for _ in edges[1:]]
    # Each gift is a plan of its own in a period: they are the same plan's versions otherwise
    return [
        between(
            PLANS[name].model_copy(update={"id": name}),
            first,
            last,
            images(draw(st.integers(0, 3000))),
        )
        for name, first, last in zip(names, edges, edges[1:], strict=False)
    ]


@given(histories())
def test_what_is_free_is_no_more_than_its_share_of_what_is_paid(history: list[Stretch]) -> None:
    """The plan's 1,000 units are for its fee of 100: ten for each unit of money, and no more."""
    bill = rate(history, PERIOD, "USD")
    shares: defaultdict[str, Fraction] = defaultdict(Fraction)
    used: defaultdict[str, Decimal] = defaultdict(Decimal)
    for stretch in history:
        assert stretch.plan is not None
        shares[stretch.plan.id] += PERIOD.share(stretch.start, stretch.end)
        used[stretch.plan.id] += sum(use.quantity for use in stretch.usage)
    with exact_arithmetic():
        for plan, share in shares.items():
            parts = [part for part in (*bill.lines, *bill.adjustments) if part.plan == plan]
            fee = Fraction(100) * share if plan != "unit" else Fraction(0)
            paid_for_usage = Fraction(sum(part.exact for part in parts)) - fee
            free = Fraction(used[plan]) - paid_for_usage
            assert free <= fee * 10 + CENT  # an amount off is rounded to it
            if share == 1 and used[plan] <= 1000:
                assert free == (used[plan] if plan != "unit" else 0)


def with_credit(plan: str, amount: str, **more: object) -> PlanDefinition:
    credit = GrantTerms.model_validate({"id": "c", "name": "Credit", "amount": amount} | more)
    return PlanDefinition(id=plan, name=plan, prepaid=True, grants=[credit])


CREDIT_PLANS = {
    "none": PlanDefinition(id="none", name="None"),
    "small": with_credit("small", "20"),
    "large": with_credit("large", "100", priority=10),
    "some models": with_credit("some-models", "70.005", models=["one"]),
    "by the day": with_credit("by-the-day", "31").model_copy(update={"proration": Proration.DAY}),
}


@st.composite
def lives_on_credit(draw: st.DrawFn) -> list[tuple[Stretch, list[Decimal]]]:
    """Any changes between plans, pauses and trials in a period, and what is spent on each."""
    edges = sorted(draw(st.sets(st.integers(1, QUARTERS - 1), max_size=6)) | {0, QUARTERS})
    spent = st.lists(st.decimals(0, 120, places=3), max_size=3)
    kinds = ("on it", "on it", "on trial", "paused")
    life = []
    for first, last in pairwise(edges):
        plan = CREDIT_PLANS[draw(st.sampled_from(sorted(CREDIT_PLANS)))]
        kind = draw(st.sampled_from(kinds))
        stretch = between(plan, first, last, [])
        if kind == "paused":
            stretch = replace(stretch, plan=None)
        life.append((replace(stretch, trial=kind == "on trial"), draw(spent)))
    return life


@given(lives_on_credit())
def test_credit_that_calls_used_is_no_more_than_its_share(
    life: list[tuple[Stretch, list[Decimal]]],
) -> None:
    """Spent as fast as it comes, on whichever plan, and left for another: what was had beyond the
    shares is asked for, and nothing of the shares is lost while it is not used."""
    amounts: dict[str, Decimal] = {}
    used: defaultdict[str, Decimal] = defaultdict(Decimal)
    stretches: list[Stretch] = []
    for stretch, spent in life:
        stretches.append(replace(stretch, end=PERIOD.end))  # nobody knows yet that it will be left
        due = due_of(stretches, stretch.start)
        amounts, _ = fitted([(grant, used[grant.id]) for grant in due.values()])
        assert all(amount >= used[name] for name, amount in amounts.items())
        stretches[-1] = stretch
        for wish in spent:
            left = wish
            for name, amount in amounts.items():
                part = min(left, amount - used[name])
                used[name] += part
                left -= part
    due = due_of(stretches, PERIOD.end)
    amounts, beyond = fitted([(grant, used[grant.id]) for grant in due.values()])
    with exact_arithmetic():
        had_free = sum(used.values()) - beyond
        if not beyond:
            assert sum(amounts.values()) == sum(grant.amount for grant in due.values())
    share = Fraction(0)
    for stretch, _ in life:
        if stretch.plan is not None and stretch.plan.grants and not stretch.trial:
            share += Fraction(stretch.plan.grants[0].amount) * stretch.share(PERIOD)
    assert Fraction(had_free) <= share


def due_of(stretches: list[Stretch], begun: datetime) -> dict[str, Grant]:
    credit = credit_of_period(stretches, PERIOD, "USD", begun=begun)
    return {grant.id: grant for grant in (rule.for_period(PERIOD) for rule, _ in credit)}


def test_a_month_brings_all_of_its_credit_and_a_quarter_of_an_hour_its_part() -> None:
    plan = with_credit("plan", "29.76")
    whole = due_of([between(plan, 0, 100, []), between(plan, 100, QUARTERS, [])], PERIOD.end)
    assert [str(grant.amount) for grant in whole.values()] == ["29.76"]
    part = due_of([between(plan, 7, 8, []), between(UNIT, 8, QUARTERS, [])], PERIOD.end)
    assert [str(grant.amount) for grant in part.values()] == ["0.01"]
    scheduled = [between(UNIT, 0, 100, []), between(plan, 100, QUARTERS, [])]
    assert due_of(scheduled, PERIOD.start) == {}
