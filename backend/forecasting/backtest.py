"""How far to trust forecasts: past forecasts compared with the usage that followed.

Pure. From several past days the same method forecasts the days that followed, priced by the plan in
force. It is compared with the simplest forecast that has a week's pattern: the last seven days
again (the seasonal naive one).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, timedelta
from decimal import Decimal
from statistics import fmean
from typing import Literal

import numpy as np

from backend.forecasting.calibration import HORIZON_DAYS
from backend.forecasting.futures import ENOUGH_DAYS, sample_futures
from backend.forecasting.history import History
from backend.forecasting.inputs import ForecastJob
from backend.forecasting.rated_paths import quantile
from backend.forecasting.unit_values import Usage, unit_values, usage_cost
from backend_client.types.spend import Trust

MOST_ORIGINS = 6
_APART_DAYS = 7
_PATHS = 51

Daily = Mapping[tuple[str, str], Sequence[float]]


@dataclass(frozen=True, slots=True)
class _Trial:
    """One origin: whether the band held on each day, and both errors at the horizon's end."""

    held: list[bool]
    error: float
    naive_error: float


def backtest(job: ForecastJob) -> Trust | None:
    """Try the method on the tenant's past; None if that is too short or without usage.

    The measure is spend, or tokens if the plan in force has no price for them.
    """
    latest = job.history.days - HORIZON_DAYS
    origins = range(latest, ENOUGH_DAYS - 1, -_APART_DAYS)[:MOST_ORIGINS]
    if len(origins) < 2:
        return None
    values = unit_values(job)
    for measure in (_Spend(job), _Tokens()):
        trials = [_trial(job, origin, measure, values) for origin in origins]
        counted = [trial for trial in trials if trial is not None]
        if len(counted) >= 2:
            break
    else:
        return None
    error, naive = (
        fmean(getattr(trial, name) for trial in counted) for name in ("error", "naive_error")
    )
    return Trust(
        measure=measure.name,
        trials=len(counted),
        horizon_days=HORIZON_DAYS,
        coverage=fmean(held for trial in counted for held in trial.held),
        error=error,
        naive_error=naive,
        ratio=error / naive if naive else None,
        computed_at=job.now.astimezone(UTC),
    )


class _Spend:
    """Measures the cost of usage on the plan in force, without its fees."""

    name: Literal["spend", "tokens"] = "spend"

    def __init__(self, job: ForecastJob) -> None:
        self._job = job
        self._fees = usage_cost(job, {})

    def of(self, used: Usage) -> float:
        return float(usage_cost(self._job, used) - self._fees)


class _Tokens:
    name: Literal["spend", "tokens"] = "tokens"

    def of(self, used: Usage) -> float:
        return sum(n for (_, meter), n in used.items() if meter.endswith("_tokens"))


def _trial(
    job: ForecastJob,
    origin: int,
    measure: _Spend | _Tokens,
    values: Usage,
) -> _Trial | None:
    """Forecast from ``origin`` days into the history;

    None if the usage that followed was worth nothing.
    """
    history = job.history
    following = _cumulated(
        {
            (series.model, series.meter): series.days[origin : origin + HORIZON_DAYS]
            for series in history.series
        }
    )
    actual = [measure.of(used) for used in following]
    if actual[-1] <= 0:
        return None
    futures = sample_futures(
        _until(history, origin), HORIZON_DAYS, seed=job.seed, values=values, paths=_PATHS
    )
    forecasts = [
        [
            measure.of(used)
            for used in _cumulated({series: n[path] for series, n in futures.usage.items()})
        ]
        for path in range(_PATHS)
    ]
    held = []
    for day, value in enumerate(actual):
        outcomes = sorted(Decimal(path[day]) for path in forecasts)
        held.append(quantile(outcomes, 0.1) <= Decimal(value) <= quantile(outcomes, 0.9))
    expected = float(np.median([path[-1] for path in forecasts]))
    again = {
        (series.model, series.meter): series.days[origin - 7 : origin] * (HORIZON_DAYS // 7)
        for series in history.series
    }
    naive = measure.of(_cumulated(again)[-1])
    return _Trial(held, abs(expected / actual[-1] - 1), abs(naive / actual[-1] - 1))


def _cumulated(daily: Daily) -> list[dict[tuple[str, str], float]]:
    sums = {key: np.cumsum(days) for key, days in daily.items()}
    return [{key: float(n[day]) for key, n in sums.items()} for day in range(HORIZON_DAYS)]


def _until(history: History, origin: int) -> History:
    """Return the history as it was at the beginning of a past day."""
    return History(
        history.first + timedelta(days=origin),
        0.0,
        origin,
        tuple(
            replace(series, days=series.days[:origin], today=0.0, remaining=1.0)
            for series in history.series
        ),
    )
