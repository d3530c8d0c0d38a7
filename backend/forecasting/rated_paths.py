"""Rate sampled futures, each as the bill would be. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from backend.forecasting.futures import Futures
from backend.forecasting.history import Mix
from backend.forecasting.inputs import ForecastJob
from backend.pricing.charges.rate_card import MeteredQuantity
from backend.spend.open_period import OpenPeriod


def rated_paths(
    job: ForecastJob, futures: Futures, coming: Sequence[datetime]
) -> list[list[Decimal]]:
    """Return each path's totals of the period, up to the end of each coming day."""
    opened = job.opened
    if not futures.usage:
        return [[opened.rate().total] * len(coming)] * job.paths
    places = stretch_places(opened, coming, job.now)
    series = list(futures.usage)
    # An array of paths × days × series
    used = np.stack([futures.usage[line] for line in series], axis=2)
    return [
        [opened.rate_with(usage).total for usage in _by_day(path, series, places, job)]
        for path in used
    ]


def median_end(job: ForecastJob, futures: Futures, coming: Sequence[datetime]) -> Decimal:
    """Return the median of the paths' totals of the whole period."""
    opened = job.opened
    places = stretch_places(opened, coming, job.now)
    series = list(futures.usage)
    used = np.stack([futures.usage[line] for line in series], axis=2)
    totals = []
    for path in used:
        *_, whole = _by_day(path, series, places, job)
        totals.append(opened.rate_with(whole).total)
    return quantile(sorted(totals), 0.5)


def _by_day(
    path: NDArray[np.float64],
    series: Sequence[tuple[str, str]],
    places: list[int],
    job: ForecastJob,
) -> Iterator[list[list[MeteredQuantity]]]:
    """Yield the period's usage by stretch up to the end of each coming day of a path."""
    stretches = job.opened.stretches
    more: list[list[MeteredQuantity]] = [[] for _ in stretches]
    for day, place in enumerate(places):
        # A stretch's usage is summed from the first coming day in it
        so_far = path[places.index(place) : day + 1].sum(axis=0)
        more[place] = [
            kind
            for line, quantity in zip(series, so_far, strict=True)
            for kind in divided(line, quantity, job.mixes[place])
        ]
        yield [[*stretch.usage, *added] for stretch, added in zip(stretches, more, strict=True)]


def divided(series: tuple[str, str], quantity: float, mix: Mix) -> list[MeteredQuantity]:
    """Divide a quantity of (model, meter) into the kinds that a plan prices by."""
    kinds = mix.get(series, ())
    if len(kinds) < 2:
        kind = kinds[0] if kinds else MeteredQuantity(*series, Decimal(1))
        return [replace(kind, quantity=_exact(quantity))]
    return [
        replace(kind, quantity=_exact(np.rint(quantity * float(kind.quantity)))) for kind in kinds
    ]


def quantile(outcomes: Sequence[Decimal], share: float) -> Decimal:
    """Return the outcome that ``share`` of the sorted outcomes are below; always one of them."""
    return outcomes[round(share * (len(outcomes) - 1))]


def stretch_places(opened: OpenPeriod, coming: Sequence[datetime], now: datetime) -> list[int]:
    """Return the place of the stretch that most of each coming day is in."""
    ends = [*coming[1:], opened.period.end]
    middles = [
        max(start, now) + (end - max(start, now)) / 2
        for start, end in zip(coming, ends, strict=True)
    ]
    return [
        next(n for n, stretch in enumerate(opened.stretches) if middle < stretch.end)
        for middle in middles
    ]


def _exact(quantity: float) -> Decimal:
    whole = int(quantity)
    return Decimal(whole) if whole == quantity else Decimal(str(round(quantity, 6)))
