"""From sampled futures to a forecast: every future is rated as the bill will be. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from itertools import accumulate
from zoneinfo import ZoneInfo

from backend.forecasting.futures import sample_futures
from backend.forecasting.hard_quotas import within_hard_quotas
from backend.forecasting.inputs import ForecastJob
from backend.forecasting.odd_days import OddDay
from backend.forecasting.plans import plan_outlooks
from backend.forecasting.quotas import quota_outlooks
from backend.forecasting.rated_paths import median_end, quantile, rated_paths
from backend.forecasting.unit_values import unit_values
from backend.pricing.periods import day_start
from backend.spend.report import period_of
from backend_client.types import spend as wire
from backend_client.types.common import Money
from backend_client.types.spend import DailySpend, Forecast

LOW, MIDDLE, HIGH = 0.1, 0.5, 0.9
_MOST_ODD_DAYS = 50
_SHOWN_UNITS = Decimal("0.000001")


@dataclass(frozen=True, slots=True)
class Outcome:
    """A forecast, and the values that budgets are compared with.

    ``peaks`` are, for each coming day (its start), the sorted highest totals of the futures by its
    end: a discount by volume may make a total shrink, but a passed budget stays passed.
    """

    forecast: Forecast
    peaks: list[tuple[datetime, list[Decimal]]]


def compute(job: ForecastJob) -> Outcome:
    """Forecast the period's bill.

    ``expected`` is the median of the sampled outcomes, ``low`` and ``high`` their tenth and
    ninetieth percentiles. No outcome has usage that a hard quota refuses; ``demand``, the quotas'
    outlooks and the plans' have it.
    """
    opened, coming = job.opened, job.coming
    futures = sample_futures(
        job.history, len(coming), seed=job.seed, values=unit_values(job), paths=job.paths
    )
    stopped = within_hard_quotas(job, futures, coming)
    paths = rated_paths(job, stopped or futures, coming)
    totals = [sorted(outcomes) for outcomes in zip(*paths, strict=True)]
    days = [_day(start, opened.rate_with(usage).total) for start, usage in job.spent]
    days.append(_day(coming[0], opened.rate().total))
    days += [
        _day(start, None, outcomes) for start, outcomes in zip(coming[1:], totals[1:], strict=True)
    ]
    low, expected, high = (
        Money(amount=quantile(totals[-1], share), currency=opened.currency)
        for share in (LOW, MIDDLE, HIGH)
    )
    forecast = Forecast(
        period=period_of(opened.period),
        method=futures.method,
        reason=futures.reason,
        history_days=job.history.days,
        expected=expected,
        low=low,
        high=high,
        demand=None
        if stopped is None
        else Money(amount=median_end(job, futures, coming), currency=opened.currency),
        days=days,
        quotas=quota_outlooks(job, futures, coming),
        plans=plan_outlooks(job, futures),
        odd_days=[_odd_day(job, each) for each in futures.odd_days[-_MOST_ODD_DAYS:]],
        computed_at=job.now.astimezone(UTC),
        version=opened.version,
    )
    highest = zip(*(accumulate(path, max) for path in paths), strict=True)
    peaks = [(start, sorted(day)) for start, day in zip(coming, highest, strict=True)]
    return Outcome(forecast, peaks)


def _odd_day(job: ForecastJob, odd: OddDay) -> wire.OddDay:
    return wire.OddDay(
        day=day_start(odd.day, ZoneInfo(job.opened.period.time_zone)),
        model=odd.model,
        meter=odd.meter,
        used=_units(odd.used),
        usual=_units(odd.usual),
    )


def _units(quantity: float) -> Decimal:
    return Decimal(quantity).quantize(_SHOWN_UNITS)


def _day(
    start: datetime, actual: Decimal | None, outcomes: Sequence[Decimal] | None = None
) -> DailySpend:
    low, middle, high = (
        None if outcomes is None else quantile(outcomes, share) for share in (LOW, MIDDLE, HIGH)
    )
    return DailySpend(day=start, actual=actual, expected=middle, low=low, high=high)
