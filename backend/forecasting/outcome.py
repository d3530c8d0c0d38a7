"""From sampled futures to a forecast: every future is rated as the bill will be. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import numpy as np

from backend.billing.spend import OpenPeriod
from backend.forecasting.futures import PATHS, Futures, sample_futures
from backend.forecasting.history import History, Mix, period_days
from backend.pricing.rate_card import MeteredQuantity
from backend_client.types.common import Money
from backend_client.types.spend import DailySpend, Forecast, Period

_LOW, _MIDDLE, _HIGH = 0.1, 0.5, 0.9


@dataclass(frozen=True, slots=True)
class ForecastJob:
    """All that a forecast is made of; made in one process and computed in another.

    ``spent`` are the period's days before today: each day's start, and what was used in the period
    up to its end, by stretch. ``mixes`` are by stretch too.
    """

    opened: OpenPeriod
    history: History
    spent: Sequence[tuple[datetime, Sequence[Sequence[MeteredQuantity]]]]
    mixes: Sequence[Mix]
    now: datetime
    seed: int
    paths: int = PATHS


def compute(job: ForecastJob) -> Forecast:
    """Forecast the period's bill.

    ``expected`` is the median of the sampled outcomes, ``low`` and ``high`` their tenth and
    ninetieth percentiles.
    """
    opened, zone = job.opened, ZoneInfo(job.opened.period.time_zone)
    coming = [
        start
        for start in period_days(opened.period)
        if start.astimezone(zone).date() >= job.history.today
    ]
    futures = sample_futures(job.history, len(coming), seed=job.seed, paths=job.paths)
    totals = _rated(job, futures, coming)
    days = [_day(start, actual=opened.rate_with(usage).total) for start, usage in job.spent]
    days.append(_day(coming[0], actual=opened.rate().total))
    days += [
        DailySpend(
            day=start,
            actual=None,
            expected=_quantile(outcomes, _MIDDLE),
            low=_quantile(outcomes, _LOW),
            high=_quantile(outcomes, _HIGH),
        )
        for start, outcomes in list(zip(coming, totals, strict=True))[1:]
    ]
    at_end = totals[-1]
    return Forecast(
        period=Period(
            start=opened.period.start, end=opened.period.end, time_zone=opened.period.time_zone
        ),
        method=futures.method,
        reason=futures.reason,
        history_days=job.history.days,
        expected=Money(amount=_quantile(at_end, _MIDDLE), currency=opened.currency),
        low=Money(amount=_quantile(at_end, _LOW), currency=opened.currency),
        high=Money(amount=_quantile(at_end, _HIGH), currency=opened.currency),
        days=days,
        computed_at=job.now.astimezone(UTC),
        version=opened.version,
    )


def _rated(job: ForecastJob, futures: Futures, coming: Sequence[datetime]) -> list[list[Decimal]]:
    """Return, for each coming day, the sorted totals of the period up to its end."""
    opened = job.opened
    if not futures.usage:
        total = opened.rate().total
        return [[total] for _ in coming]
    places = _stretches_of(opened, coming, job.now)
    series = list(futures.usage)
    # One array of paths × days × series, cumulated over the days of each stretch.
    used = np.stack([futures.usage[one] for one in series], axis=2)
    totals: list[list[Decimal]] = [[] for _ in coming]
    for path in used:
        more: list[list[MeteredQuantity]] = [[] for _ in opened.stretches]
        for day, place in enumerate(places):
            first = places.index(place)
            so_far = path[first : day + 1].sum(axis=0)
            more[place] = [
                used
                for one, quantity in zip(series, so_far, strict=True)
                for used in _divided(one, quantity, job.mixes[place])
            ]
            usage = [
                [*stretch.usage, *added]
                for stretch, added in zip(opened.stretches, more, strict=True)
            ]
            totals[day].append(opened.rate_with(usage).total)
    return [sorted(outcomes) for outcomes in totals]


def _stretches_of(opened: OpenPeriod, coming: Sequence[datetime], now: datetime) -> list[int]:
    """Return the place of the stretch that the greater part of each coming day is in."""
    ends = [*coming[1:], opened.period.end]
    middles = [
        max(start, now) + (end - max(start, now)) / 2
        for start, end in zip(coming, ends, strict=True)
    ]
    return [
        next(n for n, stretch in enumerate(opened.stretches) if middle < stretch.end)
        for middle in middles
    ]


def _divided(one: tuple[str, str], quantity: float, mix: Mix) -> list[MeteredQuantity]:
    kinds = mix.get(one, ())
    if len(kinds) < 2:
        kind = kinds[0] if kinds else MeteredQuantity(*one, Decimal(1))
        return [replace(kind, quantity=_exact(quantity))]
    return [
        replace(kind, quantity=_exact(np.rint(quantity * float(kind.quantity)))) for kind in kinds
    ]


def _exact(quantity: float) -> Decimal:
    whole = int(quantity)
    return Decimal(whole) if whole == quantity else Decimal(str(round(quantity, 6)))


def _day(start: datetime, *, actual: Decimal) -> DailySpend:
    return DailySpend(day=start, actual=actual, expected=None, low=None, high=None)


def _quantile(outcomes: Sequence[Decimal], share: float) -> Decimal:
    """Return the outcome that ``share`` of the sorted others are below: always one of them."""
    return outcomes[round(share * (len(outcomes) - 1))]
