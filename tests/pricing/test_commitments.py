"""Commitments: what is missing is asked for, what goes beyond is discounted, in every schedule."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.pricing.money import exact_arithmetic
from backend.pricing.rating.commitments import (
    Commitment,
    CommittedPeriod,
    ServiceBand,
    TrueUp,
    service_credit,
    settle,
)

pytestmark = pytest.mark.fast

START = datetime(2026, 1, 1, tzinfo=UTC)


def schedule(*amounts: str, days: int = 30) -> tuple[CommittedPeriod, ...]:
    length = timedelta(days=days)
    return tuple(
        CommittedPeriod(START + index * length, START + (index + 1) * length, Decimal(amount))
        for index, amount in enumerate(amounts)
    )


def commitment(*amounts: str, **more: object) -> Commitment:
    return Commitment("c", "Commitment", schedule(*amounts), **more)


def settled(of: Commitment, *counted: str) -> list[tuple[str, str, str]]:
    """Overage, discount and true-up of each period."""
    return [
        (str(outcome.overage), str(outcome.discount), str(outcome.true_up))
        for outcome in settle(of, [Decimal(amount) for amount in counted], "USD")
    ]


def test_a_ramp_trued_up_by_period() -> None:
    ramp = commitment("1000", "2000", "3000", overage_discount=Decimal(20))
    assert settled(ramp, "1500", "1200.50", "3000") == [
        ("500", "-100.00", "0.00"),
        ("0", "0.00", "799.50"),
        ("0", "0.00", "0.00"),
    ]


def test_a_term_is_trued_up_at_its_end() -> None:
    term = commitment("1000", "2000", "3000", true_up=TrueUp.TERM)
    assert settled(term, "1500", "1200.50", "3000") == [
        ("0", "0.00", "0.00"),
        ("0", "0.00", "0.00"),
        ("0", "0.00", "299.50"),
    ]


def test_overage_of_a_term_begins_where_the_term_is_met() -> None:
    term = commitment("1000", "2000", true_up=TrueUp.TERM, overage_discount=Decimal(10))
    assert settled(term, "2900", "600") == [("0", "0.00", "0.00"), ("500", "-50.00", "0.00")]


def test_periods_that_are_not_over_are_not_settled() -> None:
    assert settled(commitment("1000", "2000"), "1") == [("0", "0.00", "999.00")]
    assert settled(commitment("1000", "2000", true_up=TrueUp.TERM), "1") == [("0", "0.00", "0.00")]


def test_a_commitment_in_tokens() -> None:
    tokens = commitment(
        "5000000000",
        unit_price=Decimal("0.60"),
        unit_size=1_000_000,
        overage_discount=Decimal(25),
    )
    assert settled(tokens, "4000000000") == [("0", "0.00", "600.00")]
    assert settled(tokens, "6000000000") == [("1000000000", "-150.00", "0.00")]


def test_an_amendment_ends_with_the_term_and_counts_from_its_second() -> None:
    amended = commitment("3000", "3000").amended(START + timedelta(days=20), Decimal(600))
    assert [period.committed for period in amended.periods] == [3200, 3600]
    assert amended.periods[-1].end == schedule("1", "1")[-1].end
    assert (
        commitment("3000").amended(START + timedelta(days=99), Decimal(600)).periods[0]
        == (schedule("3000")[0])
    )


@pytest.mark.parametrize(
    "make",
    [
        lambda: Commitment("c", "C", ()),
        lambda: Commitment("c", "C", (*schedule("1"), *schedule("1"))),
        lambda: commitment("-1"),
        lambda: commitment("1", overage_discount=Decimal(101)),
        lambda: settle(commitment("1"), [Decimal(1), Decimal(1)], "USD"),
        lambda: settle(commitment("1"), [Decimal(-1)], "USD"),
    ],
)
def test_what_makes_no_sense_is_refused(make) -> None:
    with pytest.raises(ValueError, match="commitment"):
        make()


amounts = st.decimals(0, 10_000, places=2)
percents = st.decimals(0, 100, places=2)


@st.composite
def commitments(draw: st.DrawFn, true_up: TrueUp) -> tuple[Commitment, list[Decimal]]:
    committed = draw(st.lists(amounts, min_size=1, max_size=6))
    counted = draw(st.lists(amounts, min_size=len(committed), max_size=len(committed)))
    terms = commitment(*map(str, committed), true_up=true_up, overage_discount=draw(percents))
    return terms, counted


@given(commitments(TrueUp.PERIOD))
def test_every_period_brings_what_was_committed(case: tuple[Commitment, list[Decimal]]) -> None:
    terms, counted = case
    for outcome in settle(terms, counted, "USD"):
        assert outcome.counted + outcome.true_up == max(outcome.counted, outcome.period.committed)
        assert outcome.overage == max(outcome.counted - outcome.period.committed, 0)
        assert not (outcome.overage and outcome.true_up)
        assert 0 <= -outcome.discount <= outcome.overage


@given(commitments(TrueUp.TERM))
def test_every_term_brings_what_was_committed_and_asks_no_more_than_by_period(
    case: tuple[Commitment, list[Decimal]],
) -> None:
    terms, counted = case
    outcomes = settle(terms, counted, "USD")
    committed = sum(period.committed for period in terms.periods)
    asked = sum(outcome.true_up for outcome in outcomes)
    assert sum(counted) + asked == max(sum(counted), committed)
    assert sum(outcome.overage for outcome in outcomes) == max(sum(counted) - committed, 0)
    assert not any(outcome.true_up for outcome in outcomes[:-1])
    by_period = Commitment("c", "C", terms.periods, TrueUp.PERIOD, terms.overage_discount)
    assert asked <= sum(outcome.true_up for outcome in settle(by_period, counted, "USD"))


@given(commitments(TrueUp.PERIOD), amounts, st.integers(0, 5))
def test_who_uses_more_never_pays_less(
    case: tuple[Commitment, list[Decimal]], more: Decimal, where: int
) -> None:
    terms, counted = case
    grown = list(counted)
    grown[where % len(grown)] += more
    paid = [
        sum(
            outcome.counted + outcome.discount + outcome.true_up
            for outcome in settle(terms, amounts, "USD")
        )
        for amounts in (counted, grown)
    ]
    assert paid[1] >= paid[0]


@given(st.lists(amounts, min_size=1, max_size=4), amounts, st.integers(0, 200), st.integers(0, 200))
def test_amending_twice_is_amending_by_both(
    committed: list[Decimal], more: Decimal, first: int, second: int
) -> None:
    terms = commitment(*map(str, committed))
    days = [START + timedelta(days=first), START + timedelta(days=second)]
    forth = terms.amended(days[0], more).amended(days[1], more)
    back = terms.amended(days[1], more).amended(days[0], more)
    with exact_arithmetic():
        for period, other in zip(forth.periods, back.periods, strict=True):
            assert period.committed == other.committed


BANDS = (
    ServiceBand(Decimal("99.9"), Decimal(10)),
    ServiceBand(Decimal("99"), Decimal(25)),
    ServiceBand(Decimal("95"), Decimal(100)),
)


@pytest.mark.parametrize(
    ("good", "total", "credit"),
    [
        (1000, 1000, "0.00"),
        (999, 1000, "0.00"),  # 99.9% is not below 99.9%
        (99_899, 100_000, "12.35"),  # 123.45 * 10% = 12.345
        (990, 1000, "12.35"),
        (989, 1000, "30.86"),
        (0, 1000, "123.45"),
        (0, 0, "0.00"),
    ],
)
def test_missed_service_earns_the_largest_credit_it_falls_under(
    good: int, total: int, credit: str
) -> None:
    assert str(service_credit(good, total, BANDS, Decimal("123.45"), "USD")) == credit


def test_more_good_than_total_is_refused() -> None:
    with pytest.raises(ValueError, match="can't be"):
        service_credit(2, 1, BANDS, Decimal(1), "USD")
