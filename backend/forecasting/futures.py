"""Sampled futures of daily usage. Pure: the same history and seed give the same futures.

A future is drawn for all series at once, so that series which move together continue to: whole
weeks of past surprises are drawn, the same weeks for every series, and a future in which one series
grows fast is one in which the others do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from backend.forecasting.calibration import HORIZON_DAYS, Calibration, calibrate, recent_level
from backend.forecasting.history import RECENT_DAYS, History, Series
from backend.forecasting.odd_days import OddDay, without_odd_days
from backend.forecasting.prophet_fit import Fit, fit_series

PATHS: Final = 201
"""Odd, so that the median is one of the paths."""
ENOUGH_DAYS: Final = 14
_MOST_FITS = 40
_WEEK = 7
_FEW_DAYS = 3
_UNSURE = 0.6
"""Spread (of the logarithm) of a daily rate that was not observed for a whole day."""

Paths = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Futures:
    """Usage to come by (model, meter): an array of paths × days; the first day is today's rest.

    ``reason`` says why ``method`` is not ``prophet``. ``odd_days`` were left out of the past that
    they carry on.
    """

    method: Literal["prophet", "run_rate"]
    reason: str | None
    usage: Mapping[tuple[str, str], Paths]
    odd_days: Sequence[OddDay] = ()


def sample_futures(
    history: History,
    days: int,
    *,
    seed: int,
    values: Mapping[tuple[str, str], float],
    paths: int = PATHS,
) -> Futures:
    """Sample ``paths`` futures of ``days`` days, the rest of today included.

    ``values`` say what a unit of each (model, meter) is worth: by them the method is tried on the
    past, and the most valuable series are fitted if there are many. With fewer than 14 complete
    days of history the futures repeat the existing days.
    """
    chance = np.random.default_rng([seed, 1])
    history, odd_days = without_odd_days(history)
    active = [
        series for series in history.series if series.today or any(series.days[-RECENT_DAYS:])
    ]
    if history.days < ENOUGH_DAYS:
        usage = _run_rate(history, active, days, paths, chance)
        return Futures("run_rate", _too_little(history), usage)
    if not active:
        reason = f"Nothing was used in the last {RECENT_DAYS} days."
        return Futures("run_rate", reason, {}, odd_days)
    ranked = sorted(
        active,
        key=lambda series: (
            -sum(series.days[-RECENT_DAYS:]) * values.get((series.model, series.meter), 0)
        ),
    )
    calibration = calibrate(history, values, seed=seed)
    usage = _by_prophet(history, ranked, calibration, days, paths, seed, chance)
    return Futures("prophet", None, usage, odd_days)


def _too_little(history: History) -> str:
    if not history.series:
        return "There is no usage yet."
    if history.days == 0:
        return f"Usage began today, and Prophet needs {ENOUGH_DAYS} days of it."
    plural = "s" if history.days > 1 else ""
    return (
        f"There {'are' if plural else 'is'} {history.days} day{plural} of usage, and Prophet "
        f"needs {ENOUGH_DAYS}."
    )


def _run_rate(
    history: History, active: Sequence[Series], days: int, paths: int, chance: np.random.Generator
) -> dict[tuple[str, str], Paths]:
    """Draw from the existing days, with a rate that is less certain the fewer they are."""
    picks = chance.integers(0, max(history.days, 1), (paths, days))
    levels = np.exp(_UNSURE / np.sqrt(1 + history.days) * _normal(paths, chance))
    usage = {}
    for series in active:
        seen = series.days or (series.today / max(history.elapsed, 1 / 24),)
        usage[series.model, series.meter] = _rest_of_today(series, np.array(seen)[picks] * levels)
    return usage


def _by_prophet(
    history: History,
    ranked: Sequence[Series],
    calibration: Calibration,
    days: int,
    paths: int,
    seed: int,
    chance: np.random.Generator,
) -> dict[tuple[str, str], Paths]:
    weeks = _past_weeks(history.days, days, paths, chance)
    order = chance.permutation(paths)
    spread = calibration.spread * np.sqrt(max(days, _FEW_DAYS) / HORIZON_DAYS)
    levels = np.exp(spread * _normal(paths, chance))
    usage: dict[tuple[str, str], Paths] = {}
    for place, series in enumerate(ranked):
        begun = next((n for n, used in enumerate(series.days) if used), history.days)
        if history.days - begun <= ENOUGH_DAYS or place >= _MOST_FITS:
            drawn = _from_own_days(series, begun, weeks, history.elapsed)
        else:
            begun += 1  # the first day is usually incomplete
            fit = fit_series(series.days, history.first, begun, days, paths=paths, seed=seed)
            drawn = _carried_on(fit, series, begun, weeks, order, calibration.trend)
        usage[series.model, series.meter] = _rest_of_today(series, np.maximum(drawn, 0.0) * levels)
    return usage


def _normal(paths: int, chance: np.random.Generator) -> Paths:
    """Return the quantiles of the normal distribution, one a path, in a random order.

    Evenly spaced, not drawn: their median is exactly 0. As a column, for all days of a path.
    """
    normal = NormalDist()
    quantiles = np.array([normal.inv_cdf((n + 0.5) / paths) for n in range(paths)])
    return np.asarray(chance.permutation(quantiles))[:, np.newaxis]


def _past_weeks(
    known_days: int, days: int, paths: int, chance: np.random.Generator
) -> NDArray[np.intp]:
    """Draw, for each path and day, a past day of the same weekday: whole weeks at a time."""
    blocks = -(-days // _WEEK)
    drawn = np.empty((paths, blocks * _WEEK), dtype=np.intp)
    for block in range(blocks):
        # The place in the history of the block's weekday: day 0 of the future is day `known_days`.
        first = (known_days + block * _WEEK) % _WEEK
        starts = np.arange(first, known_days - _WEEK + 1, _WEEK)
        columns = slice(block * _WEEK, (block + 1) * _WEEK)
        drawn[:, columns] = chance.choice(starts, paths)[:, np.newaxis] + np.arange(_WEEK)
    return drawn[:, :days]


def _from_own_days(series: Series, begun: int, weeks: NDArray[np.intp], elapsed: float) -> Paths:
    """Draw from the days since a young series began."""
    own = np.array(series.days[begun:] or (series.today / max(elapsed, 1 / 24),))
    return np.asarray(own[weeks % len(own)])


def _carried_on(
    fit: Fit,
    series: Series,
    begun: int,
    weeks: NDArray[np.intp],
    order: NDArray[np.intp],
    weight: float,
) -> Paths:
    """Add past surprises, in proportion to the level, to the fit's trends and seasons."""
    daily = np.array(series.days[begun:])
    # By size at the end, then all in the same order: fast growth goes with fast growth.
    trend = fit.trend[np.argsort(fit.trend[:, -1], kind="stable")][order]
    trend = weight * np.maximum(trend, 0.0) + (1 - weight) * recent_level(daily, fit.past_season)
    surprise = np.concatenate([np.zeros(begun), daily - fit.past])
    level = np.concatenate([np.ones(begun), np.maximum(fit.past_trend, 1e-9)])
    growth = np.clip(trend / level[weeks], 0.0, 3.0)
    return np.asarray(trend * fit.season + surprise[weeks] * growth)


def _rest_of_today(series: Series, drawn: Paths) -> Paths:
    drawn = drawn.copy()
    drawn[:, 0] *= series.remaining
    return np.rint(drawn) if series.whole else np.round(drawn, 6)
