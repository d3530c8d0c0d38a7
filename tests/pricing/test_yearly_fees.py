"""Fees by the year, worked by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from backend.pricing.charges.rate_card import MeteredQuantity
from backend.pricing.rating.commitments import Commitment, CommittedPeriod, TrueUp
from backend.pricing.rating.contract import ContractPeriod, apply_contract, counted
from backend.pricing.rating.coupons import CouponTerms
from backend.pricing.rating.rated_period import RatedPeriod, rate
from backend.pricing.rating.stretches import Stretch
from backend_client.types.charges import Cadence, PerUnitCharge
from backend_client.types.plan_terms import Discount, Proration
from backend_client.types.plans import PlanDefinition
from tests.pricing.lives import (
    FEE,
    SEATS,
    YEARLY,
    Standing,
    bills,
    day,
    lived,
    months,
    plan,
)
from tests.pricing.strategies import PERIOD

pytestmark = pytest.mark.fast


TOKENS = PerUnitCharge(id="tokens", name="Tokens", meters=["m"], unit_size=1, price=Decimal(1))


def asked(bill: RatedPeriod) -> list[tuple[str, int, str, str]]:
    """Each line's charge, version, quantity and amount."""
    return [
        (line.charge.id, line.plan_version, f"{line.quantity:.4f}", str(line.amount))
        for line in bill.lines
    ]


class TestByHand:
    """Years of 365 days at 365: a day is 1, one of a seat 0.20 and one of help 0.10."""

    def test_a_year_is_asked_for_when_it_begins_and_when_it_begins_again(self) -> None:
        all_bills = bills([Standing(day(10), seats=3)], months(day(0), 14))
        year = [("fee", 1, "1.0000", "365.00"), ("seats", 1, "2.0000", "146.00")]
        assert [asked(bill) for bill in all_bills] == [year, *[[]] * 11, year, []]
        assert {(line.start, line.end) for line in all_bills[0].lines} == {(day(10), day(375))}
        assert {(line.start, line.end) for line in all_bills[12].lines} == {(day(375), day(740))}
        # What a period costs by itself is its days
        assert [str(bill.accrued) for bill in all_bills[:2]] == [
            "29.40",
            "39.20",
        ]  # 21 and 28 at 1.40

    def test_more_seats_ask_for_the_rest_and_fewer_give_it_back(self) -> None:
        life = [
            Standing(day(0)),
            Standing(day(45), seats=5),  # 320 days are left
            Standing(day(165), seats=2, add_ons={"help": 2}),  # 200
        ]
        all_bills = bills(life, months(day(0), 6))
        assert [asked(bill) for bill in all_bills] == [
            [("fee", 1, "1.0000", "365.00")],
            [("seats", 1, "3.5068", "256.00")],
            [],
            [],
            [],
            [("seats", 1, "-1.6438", "-120.00"), ("help", 1, "1.0959", "40.00")],
        ]
        assert {(line.start, line.end) for line in all_bills[5].lines} == {(day(165), day(365))}
        assert str(all_bills[5].total) == "-80.00"

    def test_each_change_is_an_item_with_its_own_span(self) -> None:
        life = [
            Standing(day(0), seats=3),
            Standing(day(5), seats=7),  # 360 days are left
            Standing(day(15), seats=5),  # 350
        ]
        _, seats = bills(life, months(day(0), 1))[0].lines
        assert [
            (part.start, part.end, part.many, int(part.share * 365)) for part in seats.fee_parts
        ] == [
            (day(0), day(365), 2, 365),
            (day(5), day(365), 4, 360),
            (day(15), day(365), -2, 350),
        ]
        assert str(seats.amount) == "294.00"  # 0.20 a day: 146 + 288 - 140

    def test_a_pause_gives_the_rest_back_and_going_on_asks_for_what_is_left_then(self) -> None:
        life = [Standing(day(0)), Standing(day(65), None), Standing(day(100))]
        all_bills = bills(life, months(day(0), 13))
        assert [str(bill.total) for bill in all_bills[:5]] == [
            "365.00",
            "0.00",
            "-300.00",
            "265.00",
            "0.00",
        ]
        assert str(all_bills[12].total) == "365.00"  # the years go on from where they began

    def test_over_the_end_of_a_year_a_pause_saves_what_it_lasts(self) -> None:
        life = [Standing(day(0)), Standing(day(355), None), Standing(day(375))]
        all_bills = bills(life, months(day(0), 13))
        assert str(all_bills[11].total) == "-10.00"
        assert str(all_bills[12].total) == "355.00"

    def test_leaving_where_a_period_begins_gives_back_in_that_period(self) -> None:
        life = [Standing(day(0)), Standing(day(31), None)]
        january, february, march = bills(life, months(day(0), 3))
        assert (str(january.total), str(february.total)) == ("365.00", "-334.00")
        assert (march.lines, march.accrued) == ((), 0)

    def test_a_version_with_another_price_is_asked_for_from_then_on(self) -> None:
        dearer = plan(charges=[FEE.model_copy(update={"price": Decimal(730)})])
        life = [Standing(day(0)), Standing(day(65), dearer, 2)]
        march = bills(life, months(day(0), 3))[2]
        assert asked(march) == [("fee", 1, "-0.8219", "-300.00"), ("fee", 2, "0.8219", "600.00")]
        assert str(march.accrued) == "56.00"  # 6 days at 1, 25 at 2

    def test_a_renewal_and_fewer_seats_in_one_period(self) -> None:
        life = [Standing(day(10), seats=6), Standing(day(370), seats=2)]
        january = bills(life, months(day(365), 1))[0]
        assert asked(january) == [
            ("fee", 1, "1.0000", "365.00"),
            ("seats", 1, "0.9452", "69.00"),  # four give back 5 days, and one has a new year
        ]
        assert (january.lines[1].start, january.lines[1].end) == (day(370), day(740))

    def test_the_year_begins_when_the_trial_is_over(self) -> None:
        life = [Standing(day(0), trial=True), Standing(day(14))]
        all_bills = bills(life, months(day(0), 13))
        (line,) = all_bills[0].lines
        assert (line.start, line.end, str(all_bills[0].total)) == (day(14), day(379), "365.00")
        assert [bill.lines for bill in all_bills[1:12]] == [()] * 11
        assert str(all_bills[12].total) == "365.00"

    def test_by_the_day_the_day_of_a_change_belongs_to_what_it_ends_on(self) -> None:
        daily = plan(proration=Proration.DAY)
        noon = timedelta(hours=12)
        life = [Standing(day(0) + noon, daily), Standing(day(65) + noon, daily, seats=2)]
        march = bills(life, months(day(0), 3))[2]
        assert asked(march) == [("seats", 1, "0.8219", "60.00")]
        by_second = [Standing(standing.since, seats=standing.seats) for standing in life]
        assert asked(bills(by_second, months(day(0), 3))[2]) == asked(march)
        # Taken up and left on one day, it was had on none
        gone = [Standing(day(0) + noon, daily), Standing(day(0) + noon * 1.5, None)]
        assert bills(gone, months(day(0), 1))[0].total == 0

    def test_beside_fees_for_the_month(self) -> None:
        monthly = FEE.model_copy(
            update={"id": "base", "price": Decimal(31), "cadence": Cadence.MONTH}
        )
        both = plan(charges=[monthly, SEATS])
        life = [Standing(day(0), both, seats=2), Standing(day(59), None)]
        all_bills = bills(life, months(day(0), 3))
        assert [str(bill.total) for bill in all_bills] == ["104.00", "31.00", "-61.20"]

    def test_a_period_that_stands_alone_has_a_twelfth(self) -> None:
        alone = Stretch(YEARLY, 1, PERIOD.start, PERIOD.end, seats=3)
        bill = rate([alone], PERIOD, "USD")
        assert asked(bill) == [("fee", 1, "0.0833", "30.42"), ("seats", 1, "0.1667", "12.17")]
        assert bill.accrued == bill.total
        half = replace(alone, end=PERIOD.start + (PERIOD.end - PERIOD.start) / 2)
        assert str(rate([half], PERIOD, "USD").lines[0].amount) == "15.21"


class TestWhatComesOnTop:
    """Percentages go with what is asked; what there is once a period, with the period's part."""

    life = [Standing(day(0)), Standing(day(65), None)]

    def totals(self, definition: PlanDefinition, **more: object) -> list[str]:
        life = [replace(standing, plan=standing.plan and definition) for standing in self.life]
        return [str(bill.total) for bill in bills(life, months(day(0), 3), **more)]

    def test_a_percentage_gives_back_what_it_took_off(self) -> None:
        off = Discount(id="off", name="Off", percent=Decimal(20))
        assert self.totals(plan(discounts=[off])) == ["292.00", "0.00", "-240.00"]

    def test_an_amount_comes_off_what_the_period_costs_never_off_what_is_given_back(self) -> None:
        ten = Discount(id="ten", name="Ten", amount=Decimal(10))
        # Of March, 6 of 31 days are covered: 1.94 come off
        assert self.totals(plan(discounts=[ten])) == ["355.00", "-10.00", "-301.94"]
        off = Discount(id="off", name="Off", percent=Decimal(20))
        # As if the days were asked for one by one: 31 and 28 of them less 10, and 20% off that
        assert self.totals(plan(discounts=[ten, off])) == ["284.00", "-8.00", "-241.55"]

    def test_a_minimum_is_met_by_the_part_of_the_year(self) -> None:
        # 31 days at 1 of at least 31, then 28; in March the plan covers 6 of 31
        assert self.totals(plan(minimum=Decimal(31))) == ["365.00", "3.00", "-300.00"]
        assert self.totals(plan(minimum=Decimal(310))) == ["644.00", "282.00", "-246.00"]

    @pytest.mark.parametrize(
        ("coupon", "totals"),
        [
            (CouponTerms("half", "Half", percent=Decimal(50)), ["349.50", "-14.00", "-303.00"]),
            (CouponTerms("all", "All", percent=Decimal(100)), ["334.00", "-28.00", "-306.00"]),
            (CouponTerms("ten", "Ten", amount=Decimal(10)), ["355.00", "-10.00", "-306.00"]),
        ],
    )
    def test_a_coupon_is_worth_the_same_whatever_the_cadence(
        self, coupon: CouponTerms, totals: list[str]
    ) -> None:
        assert self.totals(YEARLY, coupons=[coupon]) == totals

    def test_a_coupon_that_ends_is_no_money_to_take_away(self) -> None:
        """A month for nothing, and gone: nothing but the month was for nothing."""
        free = CouponTerms("free", "Free", percent=Decimal(100))
        life = [Standing(day(0), seats=1001), Standing(day(31), None)]
        january, february = months(day(0), 2)
        bill = rate(lived(life, january), january, "USD", [free])
        after = rate(lived(life, february), february, "USD")
        assert bill.total + after.total == 0

    def test_commitments_count_the_part_of_the_year(self) -> None:
        spent = tuple(
            CommittedPeriod(period.start, period.end, Decimal(31)) for period in months(day(0), 3)
        )
        by_period = Commitment("c", "C", spent, TrueUp.PERIOD, overage_discount=Decimal(50))
        terms = ContractPeriod("c", "C", by_period, 0, ())
        totals = []
        for index, period in enumerate(months(day(0), 3)):
            stretches = lived(self.life, period)
            rated = rate(stretches, period, "USD")
            assert counted(rated, stretches, None) == rated.accrued
            before = (Decimal(0),) * index
            contract = replace(terms, index=index, counted_before=before)
            totals.append(str(apply_contract(rated, stretches, contract).total))
        assert totals == ["365.00", "3.00", "-275.00"]  # 31, 28 + 3, 6 + 25

    def test_a_month_that_gives_back_has_its_usage_priced_and_discounted(self) -> None:
        off = Discount(id="off", name="Off", amount=Decimal(5), charges=["tokens"])
        definition = plan(charges=[FEE, TOKENS], discounts=[off])
        life = [Standing(day(0), definition), Standing(day(65), None)]
        march = months(day(0), 3)[2]
        first, *others = lived(life, march)
        used = replace(first, usage=[MeteredQuantity("any", "m", Decimal(12))])
        half = CouponTerms("half", "Half", percent=Decimal(50))
        bill = rate([used, *others], march, "USD", [half])
        # 12 of usage less 6/31 of 5; half of that and of the 6 days
        assert [(adjustment.kind, str(adjustment.amount)) for adjustment in bill.adjustments] == [
            ("discount", "-0.97"),
            ("coupon", "-8.52"),
        ]
        assert (str(bill.total), str(bill.accrued)) == ("-297.49", "8.51")
