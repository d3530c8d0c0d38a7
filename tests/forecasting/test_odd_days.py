"""Odd days that are over neither bend the forecast nor widen its band; what may go on does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from decimal import Decimal

import numpy as np
import pytest

from backend.forecasting.forecast import compute
from backend.forecasting.history import History, Series
from backend.forecasting.odd_days import without_odd_days
from backend_client.types.spend import Forecast
from tests.forecasting.made import METER, MODEL, at, job, plan

pytestmark = pytest.mark.fast

START = at("2026-03-01")
USUAL = 100_000.0  # a dollar a day at 10 a million

Change = Callable[[list[float]], None]


def usage(days: int, seed: int = 2) -> list[float]:
    """A dollar a day in the middle, more on working days, with 15% of noise.

    The seed is of a month that is no odd one by chance: without any odd day the band holds it.
    """
    chance = np.random.default_rng(seed)
    return [
        float(round(USUAL * (1.1 if place % 7 < 5 else 0.75) * chance.lognormal(0, 0.15)))
        for place in range(days)
    ]


def outage(days: int, until: int) -> Change:
    """Nothing for so many days, the last of them ``until`` days ago."""

    def change(daily: list[float]) -> None:
        for ago in range(until, until + days):
            daily[-ago] = 0.0

    return change


def runaway(ago: int, times: float = 20.0) -> Change:
    def change(daily: list[float]) -> None:
        daily[-ago] *= times

    return change


CASES = {
    "nothing odd": lambda daily: None,
    "an outage of 4 days, 3 to 6 days ago": outage(4, 3),
    "an outage of 2 days until yesterday": outage(2, 1),
    "a day of 20 times as much, 5 days ago": runaway(5),
    "a day of 20 times as much, 20 days ago": runaway(20),
}


def history(daily: Sequence[float], today: float = 60_000.0) -> History:
    series = Series(MODEL, METER, tuple(daily), today, 0.5, whole=True)
    return History(at("2026-03-10").date(), 0.5, len(daily), (series,))


def places(daily: Sequence[float], today: float = 60_000.0) -> list[int]:
    """How many days ago the odd days were."""
    _, odd = without_odd_days(history(daily, today))
    return [(at("2026-03-10").date() - each.day).days for each in odd]


@pytest.mark.slow
@pytest.mark.parametrize("day", [8, 10, 15, 20])
@pytest.mark.parametrize("case", CASES)
def test_the_right_bill_is_in_the_band_whatever_odd_day_is_over(case: str, day: int) -> None:
    whole = usage(90 + 31)  # 90 days, and all of March
    now = START + timedelta(days=day - 1, hours=12)
    daily = whole[: 90 + day - 1]
    CASES[case](daily)
    forecast = compute(job(daily, now, (plan(), START), today=whole[90 + day - 1] / 2)).forecast
    used = sum(daily[90:]) + sum(whole[90 + day - 1 :])
    right = Decimal(round(used)) * 10 / 1_000_000
    assert forecast.low.amount <= right <= forecast.high.amount, (right, forecast.expected.amount)
    # The band is no wider than some days' worth; it was up to 190 dollars wide
    assert forecast.high.amount - forecast.low.amount < 12
    shown = {each.day for each in forecast.odd_days}
    assert bool(shown) is (case != "nothing odd")


def test_what_is_shown_is_the_day_and_how_odd_it_was() -> None:
    daily = [USUAL] * 60
    runaway(5)(daily)
    cleaned, odd = without_odd_days(history(daily))
    assert [(each.used, each.usual) for each in odd] == [(20 * USUAL, USUAL)]
    assert places(daily) == [5]
    assert cleaned.series[0].days == (USUAL,) * 60


def test_an_outage_until_yesterday_is_over_only_if_today_is_as_usual() -> None:
    daily = [USUAL] * 60
    outage(2, 1)(daily)
    assert places(daily) == [2, 1]
    assert places(daily, today=0.0) == []


def test_a_new_level_is_no_odd_day_and_neither_is_what_lasts() -> None:
    assert places([USUAL] * 50 + [10 * USUAL] * 10, today=10 * USUAL / 2) == []
    daily = [USUAL] * 60
    outage(6, 10)(daily)
    assert places(daily) == []


def test_an_end_is_no_outage() -> None:
    for used in (30, 40, 50):
        for idle in (8, 20, 40):
            assert places([USUAL] * used + [0.0] * idle, today=0.0) == []


def test_what_comes_again_and_again_is_a_pattern() -> None:
    # A batch every fifteen days, and a customer that never works at weekends
    assert places([USUAL * (20 if place % 15 == 0 else 1) for place in range(90)]) == []
    assert places([USUAL if place % 7 < 5 else 0.0 for place in range(90)]) == []
    assert places([0.0] * 80 + [USUAL] + [0.0] * 9, today=0.0) == []


def test_with_three_weeks_or_less_nobody_knows_what_is_usual() -> None:
    daily = [USUAL] * 20
    runaway(5)(daily)
    assert places(daily) == []


@pytest.mark.slow
def test_a_year_of_history_makes_the_band_no_wider() -> None:
    """A year's season was fitted from less than a year, and widened the band by 2.6 times."""

    def width(days: int) -> float:
        daily = usage(days, seed=5)
        now = START + timedelta(days=9, hours=12)
        forecast: Forecast = compute(job(daily, now, (plan(), START), today=USUAL / 2)).forecast
        return float(forecast.high.amount - forecast.low.amount)

    assert width(365) < 1.5 * width(329)
