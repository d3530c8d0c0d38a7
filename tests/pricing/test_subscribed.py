"""Seats, add-ons, trials, days, coupons and price lists: what a subscription adds to rating."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from backend.pricing.charges.price_lists import in_currency
from backend.pricing.charges.rate_card import MeteredQuantity
from backend.pricing.money import exact_arithmetic
from backend.pricing.periods import billing_period
from backend.pricing.rating.coupons import CouponTerms
from backend.pricing.rating.rated_period import RatedPeriod, Stretch, rate
from backend_client.types.catalog import Catalog
from backend_client.types.charges import FlatCharge, FlatPer, GraduatedCharge, PerUnitCharge, Tier
from backend_client.types.plan_terms import Proration
from backend_client.types.plans import PlanDefinition
from tests.pricing.strategies import PERIOD, QUARTERS, plans, usages, whole

pytestmark = pytest.mark.fast

QUARTER = timedelta(minutes=15)
SEATS = FlatCharge(id="seats", name="Seats", price=Decimal(10), per=FlatPer.SEAT, included=2)
SUPPORT = FlatCharge(id="support", name="Support", price=Decimal(31), per=FlatPer.ADD_ON)
FEE = FlatCharge(id="fee", name="Fee", price=Decimal(62))
TOKENS = PerUnitCharge(
    id="tokens", name="Tokens", meters=["input_tokens"], price=Decimal(1), included=Decimal(1000)
)


def team(**changes: object) -> PlanDefinition:
    fields = {"id": "team", "name": "Team", "charges": [FEE, SEATS, SUPPORT, TOKENS]}
    return PlanDefinition(**(fields | changes))


def days(plan: PlanDefinition, first: int, last: int, **more: object) -> Stretch:
    start, end = (PERIOD.start + timedelta(days=day) for day in (first, last))
    return Stretch(plan, 1, start, end, **more)


def lines(bill: RatedPeriod) -> dict[str, tuple[str, str]]:
    return {line.charge.id: (str(line.quantity), str(line.amount)) for line in bill.lines}


def test_seats_and_add_ons_are_asked_for_while_they_are_had() -> None:
    bill = rate(
        [
            days(team(), 0, 10, seats=2),
            days(team(), 10, 31, seats=7, add_ons={"support": 1}),
        ],
        PERIOD,
        "USD",
    )
    assert lines(bill) == {
        "fee": ("1", "62.00"),
        "seats": (bill.lines[1].quantity.to_eng_string(), "33.87"),  # 5 * 10 * 21 / 31
        "support": (bill.lines[2].quantity.to_eng_string(), "21.00"),
    }
    assert lines(rate([days(team(), 0, 31, seats=2)], PERIOD, "USD")) == {"fee": ("1", "62.00")}
    assert lines(rate([days(team(), 0, 31, seats=5)], PERIOD, "USD"))["seats"] == ("3", "30.00")


def test_on_trial_nothing_is_asked_for_and_what_is_included_stays_whole() -> None:
    used = [MeteredQuantity("any", "input_tokens", Decimal(1_001_000))]
    bill = rate(
        [days(team(), 0, 10, usage=used, trial=True), days(team(), 10, 31, usage=used)],
        PERIOD,
        "USD",
    )
    assert [(adjustment.kind, str(adjustment.amount)) for adjustment in bill.adjustments] == [
        ("trial", "-21.00")
    ]
    assert str(bill.total) == "43.00"  # 21 days of the fee, and a million beyond the included


@pytest.mark.parametrize(
    ("zone", "month"),
    [("UTC", 3), ("Europe/Berlin", 3), ("Europe/Berlin", 10), ("Asia/Kathmandu", 2)],
)
def test_by_day_a_day_belongs_to_the_plan_that_it_ends_on(zone: str, month: int) -> None:
    period = billing_period(datetime(2026, month, 15, tzinfo=UTC), zone)
    count = round((period.end - period.start) / timedelta(days=1))
    noon = period.start + timedelta(days=9, hours=12)
    assert period.share_in_days(period.start, noon) == Fraction(9, count)
    assert period.share_in_days(noon, period.end) == Fraction(count - 9, count)
    assert period.share_in_days(noon, noon + timedelta(hours=1)) == 0
    daily = team(charges=[FEE], proration=Proration.DAY)
    bill = rate([Stretch(daily, 1, noon, period.end)], period, "USD")
    assert bill.exact_total.quantize(Decimal("1e-9")) == (
        Decimal(62) * (count - 9) / count
    ).quantize(Decimal("1e-9"))


cuts = st.lists(st.integers(1, QUARTERS - 1), max_size=6, unique=True).map(sorted)
zones = st.sampled_from(["UTC", "Europe/Berlin", "America/St_Johns", "Asia/Kathmandu"])


@given(cuts, zones, st.integers(1, 12), st.sampled_from(Proration), st.integers(1, 9))
def test_adjacent_segments_prorate_to_the_whole(
    cuts: list[int], zone: str, month: int, proration: Proration, seats: int
) -> None:
    period = billing_period(datetime(2028, month, 15, tzinfo=UTC), zone)
    plan = team(charges=[FEE, SEATS], proration=proration)
    moments = [period.start, *(period.start + cut * QUARTER for cut in cuts), period.end]
    moments = sorted({min(moment, period.end) for moment in moments})
    parts = [Stretch(plan, 1, start, end, seats=seats) for start, end in pairwise(moments)]
    cut = rate(parts, period, "USD")
    whole = rate([Stretch(plan, 1, period.start, period.end, seats=seats)], period, "USD")
    assert cut == whole
    # As versions of their own the shares add up too, if not the rounded amounts
    if proration is Proration.DAY:
        shares = [period.share_in_days(start, end) for start, end in pairwise(moments)]
    else:
        shares = [period.share(start, end) for start, end in pairwise(moments)]
    assert sum(shares) == 1


@given(plans(), usages)
def test_a_trial_costs_nothing_whatever_is_used(plan: PlanDefinition, usage: list) -> None:
    stretch = Stretch(plan, 1, PERIOD.start, PERIOD.end, usage, trial=True)
    assert rate([stretch], PERIOD, "USD").total == 0


class TestCoupons:
    half = CouponTerms("half", "Half", percent=Decimal(50))
    ten = CouponTerms("ten", "Ten", amount=Decimal(10))
    other = CouponTerms("other", "Other", percent=Decimal(100), plans=frozenset({"other"}))

    @pytest.mark.parametrize(
        ("coupons", "total"),
        [
            ([], "62.00"),
            ([half], "31.00"),
            ([half, ten], "21.00"),
            ([ten, half], "26.00"),
            ([other], "62.00"),
            ([CouponTerms("lot", "Lot", amount=Decimal(100))], "0.00"),
            ([CouponTerms("third", "Third", percent=Decimal("33.333"))], "41.33"),
        ],
    )
    def test_they_come_off_in_order(self, coupons: list[CouponTerms], total: str) -> None:
        bill = rate([days(team(charges=[FEE]), 0, 31)], PERIOD, "USD", coupons)
        assert str(bill.total) == total

    @given(
        plans(),
        usages,
        st.lists(
            st.builds(CouponTerms, st.just("c"), st.just("C"), st.decimals(0, 100, places=2))
            | st.builds(
                CouponTerms, st.just("c"), st.just("C"), st.none(), st.decimals(0, 90, places=2)
            ),
            max_size=3,
        ),
    )
    def test_they_never_take_more_than_there_is(
        self, plan: PlanDefinition, usage: list, coupons: list[CouponTerms]
    ) -> None:
        before = rate([whole(plan, usage)], PERIOD, "USD")
        after = rate([whole(plan, usage)], PERIOD, "USD", coupons)
        assert 0 <= after.total <= before.total
        with exact_arithmetic():
            off = sum(
                adjustment.amount for adjustment in after.adjustments if adjustment.kind == "coupon"
            )
            assert after.total - before.total == off


TIERS = [Tier(up_to=Decimal(10), price=Decimal(2)), Tier(up_to=None, price=Decimal(1))]
WORLDWIDE = {
    "id": "world",
    "name": "World",
    "charges": [
        FEE,
        GraduatedCharge(id="out", name="Out", meters=["m"], unit_size=1, tiers=TIERS),
    ],
    "minimum": Decimal(5),
    "discounts": [{"id": "off", "name": "Off", "amount": "3"}],
}
YEN = {
    "currency": "JPY",
    "minimum": "700",
    "discounts": {"off": "400"},
    "charges": [
        {"id": "fee", "price": "9000"},
        {"id": "out", "tiers": [{"up_to": 5, "price": 300}, {"up_to": None, "price": 150}]},
    ],
}


def test_a_price_list_has_prices_of_its_own() -> None:
    plan = PlanDefinition(**WORLDWIDE, price_lists=[YEN])
    yen = in_currency(plan, "JPY")
    bill = rate([whole(yen, [MeteredQuantity("any", "m", Decimal(7))])], PERIOD, "JPY")
    assert [str(line.amount) for line in bill.lines] == ["9000", "1800"]
    assert str(bill.total) == "10400"
    assert in_currency(plan, "USD") is plan
    with pytest.raises(ValueError, match="no prices in EUR"):
        in_currency(plan, "EUR")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"charges": YEN["charges"][:1]}, "'out' has no price in JPY"),
        ({"charges": [*YEN["charges"], {"id": "more", "price": 1}]}, "no charge 'more'"),
        ({"charges": [YEN["charges"][0], {"id": "out", "price": 1}]}, "'out' needs tiers"),
        ({"charges": [{"id": "fee"}, YEN["charges"][1]]}, "'fee' needs a price"),
        ({"charges": [YEN["charges"][0] | {"maximum": 1}, YEN["charges"][1]]}, "a maximum in both"),
        ({"minimum": None}, "a minimum in both"),
        ({"maximum": 9000}, "a maximum in both"),
        ({"discounts": {}}, "amounts of the discounts"),
        ({"grants": {"gift": 1}}, "amount of every grant"),
        ({"currency": "USD"}, "prices in USD already"),
    ],
)
def test_a_price_list_that_forgets_something_is_refused(change: dict, says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        PlanDefinition(**WORLDWIDE, price_lists=[YEN | change])


def test_a_plans_maximum_is_of_its_currency_and_no_less_than_the_minimum() -> None:
    plan = PlanDefinition(**WORLDWIDE, maximum=70, price_lists=[YEN | {"maximum": 9000}])
    yen = in_currency(plan, "JPY")
    bill = rate([whole(yen, [MeteredQuantity("any", "m", Decimal(7))])], PERIOD, "JPY")
    assert str(bill.total) == "9000"
    for limits in ({"maximum": 4}, {"maximum": 70, "price_lists": [YEN | {"maximum": 699}]}):
        with pytest.raises(ValidationError, match="the minimum is above the maximum"):
            PlanDefinition(**WORLDWIDE, **limits)


def test_what_is_carried_on_is_set_for_each_currency() -> None:
    gift = {"id": "gift", "name": "Gift", "amount": "5", "rollover_cap": "2.5"}
    yen = YEN | {"grants": {"gift": "750"}}
    capped = PlanDefinition(
        **WORLDWIDE, grants=[gift], price_lists=[yen | {"rollover_caps": {"gift": "375"}}]
    )
    assert in_currency(capped, "JPY").grants[0].rollover_cap == 375
    uncapped = PlanDefinition(**WORLDWIDE, grants=[gift], price_lists=[yen])
    assert in_currency(uncapped, "JPY").grants[0].rollover_cap == 0
    catalog = {"version": 1, "default_plan": capped.id, "models": []}
    assert Catalog(**catalog, plans=[capped])
    with pytest.raises(ValidationError, match="cap of every grant that is carried on"):
        Catalog(**catalog, plans=[uncapped])


def test_a_prepaid_plan_prices_each_call_alone() -> None:
    simple = TOKENS.model_copy(update={"included": Decimal(0)})
    assert team(charges=[simple], prepaid=True).prepaid
    for charges in ([TOKENS], [FEE]):
        with pytest.raises(ValidationError, match="prepaid plan has per_unit"):
            team(charges=charges, prepaid=True)
    for limit in ("minimum", "maximum"):
        with pytest.raises(ValidationError, match="no pools, discounts, minimum or maximum"):
            team(charges=[simple], prepaid=True, **{limit: Decimal(1)})
