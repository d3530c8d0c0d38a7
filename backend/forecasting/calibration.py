"""Calibration by the recent past: how to blend the method, and how uncertain it is.

Prophet follows growth, and overshoots where usage only varies around a level. So the method is
tried on the tenant's own past, as one series of daily value, from several days some weeks ago. The
better Prophet's trend did compared with the level of the last two weeks, the more weight it gets;
the spread of the futures follows from the errors of the blend.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import numpy as np
from numpy.typing import NDArray

from backend.forecasting.history import History
from backend.forecasting.prophet_fit import fit_series

HORIZON_DAYS: Final = 14
_TRIALS = 6
_APART_DAYS = 7
_LEAST_DAYS = 28
_FEW_TRIALS = 1.2
"""A few overlapping trials show less than can go wrong."""
_SPREAD_UNTRIED = 0.12
_MOST_SPREAD = 1.0
_LEAST_OF_LEVEL = 0.3


@dataclass(frozen=True, slots=True)
class Calibration:
    """``trend`` is the weight of Prophet's trend, the rest that of the recent level.

    ``spread`` is the standard deviation of the logarithm of actual over expected value in
    ``HORIZON_DAYS`` days, without the noise from day to day.
    """

    trend: float = 0.5
    spread: float = _SPREAD_UNTRIED


def calibrate(
    history: History, values: Mapping[tuple[str, str], float], *, seed: int
) -> Calibration:
    """Try the method on the past; ``values`` are what a unit of each (model, meter) is worth."""
    daily = np.zeros(history.days)
    for series in history.series:
        daily += np.array(series.days) * values.get((series.model, series.meter), 0.0)
    trials = []
    # The first day is usually incomplete.
    for place in range(_TRIALS):
        origin = history.days - HORIZON_DAYS - place * _APART_DAYS
        actual = float(daily[origin : origin + HORIZON_DAYS].sum()) if origin > _LEAST_DAYS else 0.0
        if actual > 0:
            trials.append((*_expected(daily[1:origin], history, seed), actual))
    trials = [trial for trial in trials if min(trial) > 0]
    if len(trials) < 2:
        return Calibration()
    by_trend, by_level, came_all = np.array(trials).T
    missed_trend, missed_level = (
        float(np.mean((estimates / came_all - 1) ** 2)) for estimates in (by_trend, by_level)
    )
    missed = missed_trend + missed_level
    weight = missed_level / missed if missed else 0.5
    blend = weight * by_trend + (1 - weight) * by_level
    spread = _FEW_TRIALS * float(np.sqrt(np.mean(np.log(came_all / blend) ** 2)))
    noise = _daily_noise(daily[1:]) / HORIZON_DAYS
    # The futures have the noise already; the rest of the spread is the level's.
    return Calibration(
        weight, min(max(spread**2 - noise, (0.3 * spread) ** 2) ** 0.5, _MOST_SPREAD)
    )


def recent_level(daily: NDArray[np.float64], season: NDArray[np.float64]) -> float:
    """Return the level of the last days, with their season taken out."""
    seasons = float(season[-HORIZON_DAYS:].sum())
    return float(daily[-HORIZON_DAYS:].sum()) / seasons if seasons > 0 else 0.0


def _expected(daily: NDArray[np.float64], history: History, seed: int) -> tuple[float, float]:
    """Return what Prophet's trend, and what the recent level, expect for the following days."""
    first = history.first + timedelta(days=1)
    fit = fit_series(tuple(daily.tolist()), first, 0, HORIZON_DAYS, paths=51, seed=seed)
    by_trend = float((np.median(fit.trend, axis=0) * fit.season).sum())
    return by_trend, recent_level(daily, fit.past_season) * float(fit.season.sum())


def _daily_noise(daily: NDArray[np.float64]) -> float:
    """Return the variance of a day's value around the same weekdays of the adjacent weeks."""
    if len(daily) < 3 * 7:
        return 0.0
    around = (daily[:-14] + daily[14:]) / 2
    typical = max(float(daily.mean()), 1e-9)
    # The mean of two differs from a third by 1.5 times the variance of one
    return float(np.var((daily[7:-7] - around) / typical)) / 1.5
