"""Odd days: past outages and runaway loops, which forecasts are not fitted to.

Pure. A day is odd when it is far from what the same weekday usually has around it. A few odd days
in a row that have ended say nothing about coming days. A deviation that continues may be a new
level, and one that recurs is a pattern. Both are kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Final

import numpy as np
from numpy.typing import NDArray

from backend.forecasting.history import History, Series

FACTOR: Final = 5.0
"""How many times more or less than usual makes a day odd."""
LONGEST_RUN_DAYS: Final = 5
_MOST_RUNS = 3
_LEAST_DAYS = 21
_WEEKS_AROUND = 6
_WEEK = 7


@dataclass(frozen=True, slots=True)
class OddDay:
    """The usage of a model's meter on a day, in its units, and the usual usage of such a day."""

    day: date
    model: str
    meter: str
    used: float
    usual: float


def without_odd_days(history: History) -> tuple[History, list[OddDay]]:
    """Return the history with usual values on odd days, and those days, first to last."""
    cleaned, odd = [], []
    for series in history.series:
        usual = _usual(np.array(series.days))
        places = list(_odd_places(series, usual))
        days = list(series.days)
        for place in places:
            days[place] = float(usual[place])
            day = history.first + timedelta(days=place)
            odd.append(
                OddDay(day, series.model, series.meter, series.days[place], float(usual[place]))
            )
        cleaned.append(replace(series, days=tuple(days)) if places else series)
    odd.sort(key=lambda each: (each.day, each.model, each.meter))
    return replace(history, series=tuple(cleaned)), odd


def _usual(days: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return, for each day, the median of the same weekday in the weeks around it."""
    usual = np.zeros(len(days))
    for place in range(len(days)):
        first = max(place % _WEEK, place - _WEEKS_AROUND * _WEEK)
        last = place + _WEEKS_AROUND * _WEEK
        around = [days[near] for near in range(first, min(last + 1, len(days)), _WEEK)]
        del around[(place - first) // _WEEK]
        usual[place] = float(np.median(around)) if around else 0.0
    return usual


def _odd_places(series: Series, usual: NDArray[np.float64]) -> Iterator[int]:
    """Return the places of odd days, in runs that are short, few and ended."""
    days = np.array(series.days)
    if len(days) < _LEAST_DAYS:
        return
    odd = (usual > 0) & ((days < usual / FACTOR) | (days > usual * FACTOR))
    runs: list[list[int]] = []
    for place in np.flatnonzero(odd):
        if runs and runs[-1][-1] == place - 1:
            runs[-1].append(int(place))
        else:
            runs.append([int(place)])
    if len(runs) > _MOST_RUNS:
        return
    for run in runs:
        if len(run) <= LONGEST_RUN_DAYS and _is_over(run, odd, usual, series):
            yield from run


def _is_over(
    run: Sequence[int], odd: NDArray[np.bool_], usual: NDArray[np.float64], series: Series
) -> bool:
    """Tell whether the days before and after a run are usual ones: after an end none is."""
    before, after = run[0] - 1, run[-1] + 1
    if before >= 0 and not usual[before] > 0:
        return False
    if after == len(usual):
        return _today_is_usual(series, usual)
    return bool(usual[after] > 0 and not odd[after])


def _today_is_usual(series: Series, usual: NDArray[np.float64]) -> bool:
    """Return whether today is so far like the same weekday of last week usually was by now."""
    expected = float(usual[-_WEEK]) * (1.0 - series.remaining)
    return expected > 0 and expected / FACTOR <= series.today <= expected * FACTOR
