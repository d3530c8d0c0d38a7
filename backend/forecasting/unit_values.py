"""What a unit of each kind of usage is worth on the plan in force. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from backend.forecasting.history import RECENT_DAYS
from backend.forecasting.inputs import ForecastJob
from backend.forecasting.rated_paths import divided

Usage = Mapping[tuple[str, str], float]


def usage_cost(job: ForecastJob, usage: Usage) -> Decimal:
    """Return what a period with this usage alone costs on the plan in force, fees included."""
    place = job.place_now
    kinds = [
        kind
        for series, quantity in usage.items()
        for kind in divided(series, quantity, job.mixes[place])
    ]
    stretches = range(len(job.opened.stretches))
    return job.opened.rate_with([kinds if n == place else [] for n in stretches]).exact_total


def unit_values(job: ForecastJob) -> dict[tuple[str, str], float]:
    """Return what one more unit of each (model, meter) costs, given the usage of the last weeks.

    Where nothing costs money, a token is worth 1; where there are no tokens, a unit of anything.
    """
    usage = {
        (series.model, series.meter): sum(series.days[-RECENT_DAYS:]) + series.today
        for series in job.history.series
    }
    whole = usage_cost(job, usage)
    values = {
        series: float(usage_cost(job, {**usage, series: 2 * quantity}) - whole) / quantity
        for series, quantity in usage.items()
        if quantity
    }
    if any(value > 0 for value in values.values()):
        return {series: max(value, 0.0) for series, value in values.items()}
    tokens = {series: 1.0 for series in usage if series[1].endswith("_tokens")}
    return tokens or dict.fromkeys(usage, 1.0)
