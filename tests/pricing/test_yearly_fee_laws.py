"""Laws of fees by the year that hold for every history of a subscription."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from math import ceil
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.pricing.charges.rate_card import MeteredQuantity
from backend.pricing.periods import BillingPeriod, billing_period
from backend.pricing.rating.coupons import CouponTerms
from backend.pricing.rating.rated_period import rate
from backend.pricing.rating.stretches import Stretch
from backend.pricing.rating.yearly_fees import yearly_fees
from backend.pricing.rating.years import PlanYears
from backend_client.types.charges import FlatCharge, PerUnitCharge
from backend_client.types.plan_terms import Discount, Proration
from backend_client.types.plans import PlanDefinition
from tests.pricing.lives import FEE, HELP, QUARTER, SEATS, YEARLY, Standing, bills, lived, plan
from tests.pricing.strategies import PERIOD, plans, usages, whole

pytestmark = pytest.mark.fast


ZONES = ("UTC", "Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe")
EXTRAS = PerUnitCharge(id="m", name="M", meters=["m"], unit_size=1, price=Decimal("0.37"))

# Made once: Hypothesis checks a strategy when it is first drawn from, longer than it takes to draw
_prices = st.decimals(0, 2000, places=2)
_off = (
    st.none()
    | st.builds(Discount, id=st.just("o"), name=st.just("O"), percent=st.decimals(0, 100, places=2))
    | st.builds(Discount, id=st.just("o"), name=st.just("O"), amount=st.decimals(0, 60, places=2))
)
_minimums = st.none() | st.decimals(0, 60, places=2)
_quarters = st.integers(1, 200) | st.integers(1, 150 * 96)


@st.composite
def definitions(draw: st.DrawFn, proration: Proration) -> PlanDefinition:
    """A version of the plan: its prices, and what comes off them."""
    off = draw(_off)
    return plan(
        charges=[
            *(charge.model_copy(update={"price": draw(_prices)}) for charge in (FEE, SEATS, HELP)),
            EXTRAS,
        ],
        proration=proration,
        discounts=[] if off is None else [off],
        minimum=draw(_minimums),
    )


@dataclass(frozen=True)
class History:
    """A subscription's standings, and the tenant's periods from its first on."""

    life: list[Standing]
    periods: list[BillingPeriod]

    @property
    def taken_up(self) -> datetime:
        return self.life[0].since


@st.composite
def histories(draw: st.DrawFn, *, over: bool = False) -> History:
    """Changes over two years and a half; if ``over``, the last is the end."""
    zone = draw(st.sampled_from(ZONES))
    proration = draw(st.sampled_from(Proration))
    versions = [draw(definitions(proration)) for _ in range(draw(st.integers(1, 2)))]
    first = datetime(2027, 1, 1, tzinfo=UTC) + draw(st.integers(0, 400 * 96)) * QUARTER
    life = [Standing(first, versions[0], 1, draw(st.integers(0, 4)))]
    moment = first
    for _ in range(draw(st.integers(0, 6))):
        moment += draw(_quarters) * QUARTER
        number = draw(st.integers(0, len(versions) - 1))
        version = draw(st.sampled_from([None, versions[number], versions[number]]))
        chosen = {"help": draw(st.integers(0, 2))}
        life.append(Standing(moment, version, number + 1, draw(st.integers(0, 4)), chosen))
    if over:
        life.append(Standing(moment + draw(st.integers(1, 300 * 96)) * QUARTER, None))
    anchor = draw(st.integers(1, 31))
    periods = [billing_period(first, zone, anchor)]
    while periods[-1].end <= max(life[-1].since, first + timedelta(days=800)):
        periods.append(billing_period(periods[-1].end, zone, anchor))
    return History(life, periods)


def days_of(history: History, start: datetime, end: datetime) -> int:
    """The ends of days after ``start``, up to and with ``end``."""
    zone = ZoneInfo(history.periods[0].time_zone)
    return (end.astimezone(zone).date() - start.astimezone(zone).date()).days


def covered(history: History, until: datetime) -> dict[tuple[int, str], Fraction]:
    """How many years of each fee of each version were had, year by year and stretch by stretch."""
    years = PlanYears(history.taken_up, history.periods[0].time_zone)
    had: dict[tuple[int, str], Fraction] = {}
    ends = [*(standing.since for standing in history.life[1:]), until]
    for standing, end in zip(history.life, ends, strict=True):
        if standing.plan is None:
            continue
        for number in range(5):
            first, last = years.start(number), years.start(number + 1)
            start, stop = max(standing.since, first), min(end, last)
            if start >= stop:
                continue
            if standing.plan.proration is Proration.DAY:
                share = Fraction(days_of(history, start, stop), days_of(history, first, last))
            else:
                share = Fraction((stop - start) // QUARTER, (last - first) // QUARTER)
            how_many = {
                "fee": 1,
                "seats": max(standing.seats - 1, 0),
                "help": standing.add_ons.get("help", 0),
            }
            for charge, count in how_many.items():
                key = standing.version, charge
                had[key] = had.get(key, Fraction(0)) + count * share
    return {key: share for key, share in had.items() if share}


@given(histories(over=True))
def test_all_periods_together_ask_for_what_was_covered_exactly(history: History) -> None:
    sums: dict[tuple[int, str], Fraction] = {}
    own: dict[tuple[int, str], Fraction] = {}
    for period in history.periods:
        for of, fee in yearly_fees(lived(history.life, period), period).items():
            key = of.plan_version, of.charge
            sums[key] = sums.get(key, Fraction(0)) + fee.asked
            own[key] = own.get(key, Fraction(0)) + fee.own
    had = covered(history, history.life[-1].since)
    assert {key: share for key, share in sums.items() if share} == had
    assert {key: share for key, share in own.items() if share} == had


@given(histories())
def test_up_to_any_period_the_rest_of_the_year_is_asked_for_too(history: History) -> None:
    sums: dict[tuple[int, str], Fraction] = {}
    years = PlanYears(history.taken_up, history.periods[0].time_zone)
    for period in history.periods:
        for of, fee in yearly_fees(lived(history.life, period), period).items():
            key = of.plan_version, of.charge
            sums[key] = sums.get(key, Fraction(0)) + fee.asked
        life = [standing for standing in history.life if standing.since < period.end]
        # As if all went on to the end of the year that runs then
        by_day = life[-1].plan is not None and life[-1].plan.proration is Proration.DAY
        number = ceil(years.passed(period.end, by_day=by_day))
        had = covered(replace(history, life=life), years.start(number))
        assert {key: share for key, share in sums.items() if share} == had


@given(histories(), st.data())
def test_what_happens_after_a_period_changes_nothing_in_it(
    history: History, data: st.DataObject
) -> None:
    period = data.draw(st.sampled_from(history.periods))
    life = [standing for standing in history.life if standing.since < period.end]
    then = rate(lived(life, period), period, "USD")
    assert rate(lived(history.life, period), period, "USD") == then
    later = [*life, Standing(period.end, data.draw(st.sampled_from([None, YEARLY])), 9, 40)]
    assert rate(lived(later, period), period, "USD") == then


@given(histories(), st.data())
def test_where_a_stretch_is_cut_changes_nothing(history: History, data: st.DataObject) -> None:
    period = data.draw(st.sampled_from(history.periods))
    quarters = (period.end - period.start) // QUARTER
    cuts = data.draw(st.lists(st.integers(1, quarters - 1), max_size=5))
    once = lived(history.life, period)
    cut: list[Stretch] = []
    for stretch in once:
        inside = sorted({period.start + n * QUARTER for n in cuts})
        moments = [
            stretch.start,
            *(moment for moment in inside if stretch.start < moment < stretch.end),
            stretch.end,
        ]
        cut += [
            replace(stretch, start=start, end=end, before=None if place else stretch.before)
            for place, (start, end) in enumerate(pairwise(moments))
        ]
    assert rate(cut[::-1], period, "USD") == rate(once, period, "USD")


@given(histories(), st.data())
def test_a_period_in_which_nothing_happens_has_no_line(
    history: History, data: st.DataObject
) -> None:
    period = data.draw(st.sampled_from(history.periods))
    years = PlanYears(history.taken_up, period.time_zone)
    moments = [*(standing.since for standing in history.life), *(years.start(n) for n in range(4))]
    # By days a year may end and a change take effect up to a day apart
    day_more = timedelta(days=1)
    if not any(period.start - day_more <= moment < period.end + day_more for moment in moments):
        assert rate(lived(history.life, period), period, "USD").lines == ()


coupons = st.lists(
    st.builds(CouponTerms, st.just("c"), st.just("C"), st.decimals(0, 100, places=2))
    | st.builds(CouponTerms, st.just("c"), st.just("C"), st.none(), st.decimals(0, 90, places=2)),
    max_size=2,
)


@given(histories(over=True), coupons)
def test_all_bills_together_are_what_all_periods_cost(
    history: History, coupons: list[CouponTerms]
) -> None:
    """Whatever comes off or on top, and however the periods' parts of the fees are rounded."""
    all_bills = bills(history.life, history.periods, coupons=coupons)
    assert all(bill.accrued >= 0 for bill in all_bills)
    rounded = sum(len(bill.lines) + len(bill.adjustments) + 3 for bill in all_bills)
    difference = sum(bill.total for bill in all_bills) - sum(bill.accrued for bill in all_bills)
    assert abs(difference) <= Decimal("0.01") * rounded
    # and the fees alone are what was covered, but for the rounding of each line
    had = covered(history, history.life[-1].since)
    prices = {
        (standing.version, charge.id): Fraction(charge.price)
        for standing in history.life
        if standing.plan is not None
        for charge in standing.plan.charges
        if isinstance(charge, FlatCharge)
    }
    lines = [line for bill in all_bills for line in bill.lines]
    exact = sum(prices[key] * share for key, share in had.items())
    assert abs(sum(Fraction(line.amount) for line in lines) - exact) <= Fraction(len(lines), 200)


@given(plans(), usages, coupons)
def test_without_yearly_fees_a_period_costs_what_it_asks_for(
    definition: PlanDefinition, used: list[MeteredQuantity], coupons: list[CouponTerms]
) -> None:
    bill = rate([whole(definition, used)], PERIOD, "USD", coupons)
    assert bill.accrued == bill.total
    on_trial = replace(whole(definition, used), trial=True)
    bill = rate([on_trial], PERIOD, "USD", coupons)
    assert bill.accrued == bill.total == 0
