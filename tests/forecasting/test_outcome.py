"""The laws of a forecast, on the pure function that makes it."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.forecasting.forecast import compute as whole_outcome
from backend.forecasting.inputs import ForecastJob
from backend.pricing.charges.rate_card import MeteredQuantity
from backend_client.types.plans import PlanDefinition
from backend_client.types.spend import Forecast
from tests.forecasting.made import METER, MODEL, at, job, plan
from tests.support.examples import examples

# The slow ones fit Prophet, which takes a second or more
pytestmark = pytest.mark.fast

NOW = at("2026-03-10T12:00")
START = at("2026-03-01")


def compute(job: ForecastJob) -> Forecast:
    return whole_outcome(job).forecast


def wavy(days: int, level: float = 100_000.0, seed: int = 3) -> list[float]:
    chance = np.random.default_rng(seed)
    return [
        float(round(level * (1.3 if n % 7 < 5 else 0.4) * chance.lognormal(0, 0.2)))
        for n in range(days)
    ]


def check_shape(forecast: Forecast) -> None:
    """What holds of every forecast."""
    assert forecast.low.amount <= forecast.expected.amount <= forecast.high.amount
    past = [day for day in forecast.days if day.actual is not None]
    coming = [day for day in forecast.days if day.actual is None]
    assert forecast.days == past + coming
    assert past
    assert all(day.expected is day.low is day.high is None for day in past)
    for before, after in pairwise(past):
        assert before.actual is not None
        assert after.actual is not None
        assert before.actual <= after.actual
    last = past[-1].actual
    assert last is not None
    for day in coming:
        assert day.low is not None
        assert day.expected is not None
        assert day.high is not None
        assert last <= day.low <= day.expected <= day.high
    for before, after in pairwise(coming):
        assert before.low <= after.low
        assert before.expected <= after.expected
        assert before.high <= after.high
    if coming:
        ends = (coming[-1].low, coming[-1].expected, coming[-1].high)
        assert ends == tuple(
            money.amount for money in (forecast.low, forecast.expected, forecast.high)
        )


@settings(max_examples=examples(60), deadline=None)
@given(
    daily=st.lists(st.integers(0, 10_000_000), max_size=13),
    hours=st.integers(0, 31 * 24 * 4 - 1),
    price=st.sampled_from(["0", "0.15", "10"]),
    included=st.sampled_from(["0", "1000000"]),
)
def test_any_short_history_gives_a_forecast_of_the_right_shape(
    daily: list[int], hours: int, price: str, included: str
) -> None:
    now = START + timedelta(minutes=15 * hours)
    forecast = compute(job(daily, now, (plan(price=price, included=included), START), paths=21))
    check_shape(forecast)
    assert forecast.method == "run_rate"
    assert forecast.reason
    assert len(forecast.days) == 31


@pytest.mark.slow
def test_the_same_job_gives_the_same_forecast() -> None:
    first, again = (compute(job(wavy(60), NOW, (plan(), START))) for _ in range(2))
    assert first == again
    other = compute(job(wavy(60), NOW, (plan(), START), seed=8))
    assert other != first
    check_shape(first)
    assert (first.method, first.reason, first.history_days) == ("prophet", None, 60)


@pytest.mark.slow
def test_flat_usage_costs_what_a_hand_computes() -> None:
    # 100,000 tokens a day, all of March: 31 × 0.1 M × 10 USD
    short = compute(job([100_000.0] * 9, NOW, (plan(), START)))
    assert short.method == "run_rate"
    assert short.expected.amount == Decimal("31.00")
    assert short.low.amount < short.expected.amount < short.high.amount
    long = compute(job([100_000.0] * 90, NOW, (plan(), START)))
    assert long.method == "prophet"
    for amount in (long.low.amount, long.expected.amount, long.high.amount):
        assert amount == pytest.approx(Decimal(31), rel=Decimal("0.005"))
    assert [day.actual for day in long.days[:10]] == [*map(Decimal, range(1, 10)), Decimal("9.5")]


@pytest.mark.slow
def test_growth_goes_on() -> None:
    daily = [100_000 + 2_000 * n for n in range(100)]
    forecast = compute(job(daily, at("2026-03-11T00:00"), (plan(), START)))
    march = sum(100_000 + 2_000 * n for n in range(90, 121)) * Decimal("0.00001")
    assert forecast.expected.amount == pytest.approx(march, rel=Decimal("0.01"))


@pytest.mark.slow
def test_the_week_is_learnt() -> None:
    quiet = compute(job(wavy(84), at("2026-03-10T00:00"), (plan(), START), today=1.0))
    steps = [
        float(after.expected - before.expected)
        for before, after in pairwise(day for day in quiet.days if day.expected is not None)
    ]
    # Day n of the history is at place n % 7, and 10 March is day 84: the 11th is a place-1 day.
    weekend = [step for n, step in enumerate(steps, start=86) if n % 7 >= 5]
    workdays = [step for n, step in enumerate(steps, start=86) if n % 7 < 5]
    assert max(weekend) < min(workdays)


@pytest.mark.slow  # each path rated
def test_included_units_and_tiers_bend_it() -> None:
    flat = [100_000.0] * 9
    # 3.1 M in March, of which 2 M are free
    some = compute(job(flat, NOW, (plan(included="2000000"), START)))
    assert some.expected.amount == Decimal("11.00")
    free = [day for day in some.days if 0 in (day.actual, day.expected)]
    assert len(free) == 20
    tiers = [{"up_to": "1000000", "price": "10"}, {"up_to": None, "price": "5"}]
    tiered = compute(job(flat, NOW, (plan(kind="graduated", tiers=tiers), START)))
    assert tiered.expected.amount == Decimal("20.50")  # 1 M × 10 + 2.1 M × 5


def test_each_plan_prices_the_days_it_covers() -> None:
    cheap = plan(price="1").model_copy(update={"id": "cheap"})
    change = at("2026-03-21T00:00")
    forecast = compute(job([100_000.0] * 9, NOW, (plan(), START), (cheap, change)))
    assert forecast.expected.amount == Decimal("20.00") + Decimal("1.10")


def test_windows_and_labels_divide_what_is_to_come_as_they_did_before() -> None:
    charge = {"name": "Output", "kind": "per_unit", "meters": [METER]}
    night = {"id": "night", "name": "Night", "time_zone": "UTC", "start": "00:00", "end": "06:00"}
    definition = PlanDefinition.model_validate(
        {
            "id": "paid",
            "name": "Paid",
            "windows": [night],
            "charges": [
                charge | {"id": "n", "price": "2", "window": "night"},
                charge | {"id": "d", "price": "10"},
            ],
        }
    )
    mix = {
        (MODEL, METER): [
            MeteredQuantity(MODEL, METER, Decimal("0.25"), "night"),
            MeteredQuantity(MODEL, METER, Decimal("0.75")),
        ]
    }
    now = at("2026-03-02T00:00")
    forecast_job = job([100_000.0] * 1, now, (definition, START), mixes=[mix], today=0.0)
    # The day before was all by day: 1.00; then 30 days of 25,000 at 2 and 75,000 at 10 a million
    assert compute(forecast_job).expected.amount == Decimal("1.00") + 30 * Decimal("0.80")


@pytest.mark.slow
def test_a_period_whose_last_day_is_over_costs_what_was_spent() -> None:
    last_moment = at("2026-03-31T23:59:59.999")
    for days in (10, 60):
        forecast = compute(job([100_000.0] * days, last_moment, (plan(), START), today=100_000.0))
        spent = forecast.days[-1].actual
        assert spent is not None
        assert forecast.low.amount == forecast.expected.amount == forecast.high.amount == spent


def test_a_tenant_without_usage_is_told_so_and_pays_its_fees() -> None:
    fee = PlanDefinition.model_validate(
        {
            "id": "paid",
            "name": "Paid",
            "charges": [{"id": "fee", "name": "Fee", "kind": "flat", "price": "20"}],
        }
    )
    forecast = compute(job([], NOW, (fee, START)))
    assert forecast.low.amount == forecast.expected.amount == forecast.high.amount == Decimal(20)
    assert forecast.reason == "There is no usage yet."
    assert forecast.history_days == 0
    check_shape(forecast)


def test_a_first_day_is_scaled_to_whole_days() -> None:
    forecast = compute(job([], NOW, (plan(), START), today=50_000.0))
    # Half a day brought 0.05 M, so 0.1 M a day: the rest of today and 21 days more
    assert forecast.expected.amount == Decimal("0.50") + Decimal("0.50") + Decimal("21.00")
    assert "began today" in str(forecast.reason)
    assert forecast.low.amount < Decimal(15) < Decimal(30) < forecast.high.amount


def test_usage_that_ended_long_ago_is_not_expected_back() -> None:
    forecast = compute(job([100_000.0] * 30 + [0.0] * 40, NOW, (plan(), START)))
    assert forecast.expected.amount == forecast.high.amount == Decimal(0)
    assert forecast.reason == "Nothing was used in the last 28 days."


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe"])
def test_days_are_the_tenants_also_where_clocks_change(zone: str) -> None:
    for month in ("2026-03", "2026-04", "2026-10", "2026-11"):
        now = at(f"{month}-10T12:00")
        forecast = compute(job([100_000.0] * 12, now, (plan(), START), time_zone=zone, paths=5))
        days = {"03": 31, "04": 30, "10": 31, "11": 30}[month[-2:]]
        assert len(forecast.days) == days
        check_shape(forecast)
