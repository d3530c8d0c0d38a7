"""Laws of fees by the quarter and of those asked once, for every history of a subscription."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.pricing.periods import BillingPeriod, billing_period
from backend.pricing.rating.one_off_fees import one_off_fees
from backend.pricing.rating.stretches import Had, Stretch
from backend.pricing.rating.yearly_fees import yearly_fees
from backend.pricing.rating.years import PlanYears
from backend_client.types.charges import Cadence, FlatCharge, FlatPer
from backend_client.types.plans import PlanDefinition
from tests.pricing.lives import QUARTER, Standing, lived

pytestmark = pytest.mark.fast

FIRST = datetime(2027, 1, 1, tzinfo=UTC)
ZONES = ("UTC", "Europe/Berlin", "America/St_Johns")


def fee(charge_id: str, cadence: Cadence, per: FlatPer) -> FlatCharge:
    return FlatCharge(id=charge_id, name=charge_id, price=90, cadence=cadence, per=per)


PLAN = PlanDefinition(
    id="plan",
    name="Plan",
    charges=[
        fee("quarter", Cadence.QUARTER, FlatPer.SUBSCRIPTION),
        fee("quarter-seats", Cadence.QUARTER, FlatPer.SEAT),
        fee("setup", Cadence.ONCE, FlatPer.SUBSCRIPTION),
        fee("seats", Cadence.ONCE, FlatPer.SEAT),
        fee("extra", Cadence.ONCE, FlatPer.ADD_ON),
    ],
)


@st.composite
def lives(draw: st.DrawFn) -> list[Standing]:
    """Changes of seats and add-ons, new versions and pauses over a year; the last is the end."""
    moment = FIRST + draw(st.integers(0, 200 * 96)) * QUARTER
    life = [Standing(moment, PLAN, 1, draw(st.integers(0, 4)))]
    for _ in range(draw(st.integers(0, 6))):
        moment += draw(st.integers(1, 200) | st.integers(1, 80 * 96)) * QUARTER
        plan = draw(st.sampled_from([None, PLAN, PLAN]))
        extras = {"extra": draw(st.integers(0, 3))}
        life.append(
            Standing(moment, plan, draw(st.integers(1, 3)), draw(st.integers(0, 6)), extras)
        )
    return [*life, Standing(moment + draw(st.integers(1, 100 * 96)) * QUARTER, None)]


def periods_of(life: list[Standing], zone: str, anchor: int) -> list[BillingPeriod]:
    periods = [billing_period(life[0].since, zone, anchor)]
    while periods[-1].end <= life[-1].since:
        periods.append(billing_period(periods[-1].end, zone, anchor))
    return periods


def stretches_of(life: list[Standing], period: BillingPeriod) -> list[Stretch]:
    """The period's stretches, each with the most that there was before it."""
    stretches = []
    for stretch in lived(life, period):
        past = [
            standing
            for standing in life
            if standing.plan is not None and standing.since < stretch.start
        ]
        if past:
            extras = max(standing.add_ons.get("extra", 0) for standing in past)
            had = Had(max(standing.seats for standing in past), {"extra": extras})
            stretch = replace(stretch, had=had)
        stretches.append(stretch)
    return stretches


@given(lives(), st.sampled_from(ZONES), st.integers(1, 31))
def test_what_is_asked_once_is_asked_for_the_most_there_ever_were(
    life: list[Standing], zone: str, anchor: int
) -> None:
    asked: dict[str, Fraction] = {}
    for period in periods_of(life, zone, anchor):
        for of, of_period in one_off_fees(stretches_of(life, period), period).items():
            assert of_period.asked == of_period.own > 0
            asked[of.charge] = asked.get(of.charge, Fraction(0)) + of_period.asked
    had = [standing for standing in life if standing.plan is not None]
    most = {
        "setup": 1,
        "seats": max(standing.seats for standing in had),
        "extra": max(standing.add_ons.get("extra", 0) for standing in had),
    }
    assert asked == {name: count for name, count in most.items() if count}


@given(lives(), st.sampled_from(ZONES), st.integers(1, 31))
def test_all_periods_together_ask_for_the_quarters_that_were_covered(
    life: list[Standing], zone: str, anchor: int
) -> None:
    asked: dict[tuple[int, str], Fraction] = {}
    for period in periods_of(life, zone, anchor):
        for of, of_period in yearly_fees(lived(life, period), period).items():
            key = of.plan_version, of.charge
            asked[key] = asked.get(key, Fraction(0)) + of_period.asked
    quarters = PlanYears(life[0].since, zone, 3)
    covered: dict[tuple[int, str], Fraction] = {}
    for standing, follows in pairwise(life):
        if standing.plan is None:
            continue
        for first, last in pairwise(quarters.start(number) for number in range(12)):
            start, stop = max(standing.since, first), min(follows.since, last)
            share = Fraction(max(stop - start, timedelta()) // QUARTER, (last - first) // QUARTER)
            for charge, count in (("quarter", 1), ("quarter-seats", standing.seats)):
                key = standing.version, charge
                covered[key] = covered.get(key, Fraction(0)) + count * share
    assert {key: share for key, share in asked.items() if share} == {
        key: share for key, share in covered.items() if share
    }
