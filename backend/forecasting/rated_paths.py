"""Rate sampled futures, each as the bill would be. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

import numpy as np

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
    places = _stretches_of(opened, coming, job.now)
    series = list(futures.usage)
    # An array of paths × days × series
    used = np.stack([futures.usage[line] for line in series], axis=2)
    totals: list[list[Decimal]] = []
    for path in used:
        more: list[list[MeteredQuantity]] = [[] for _ in opened.stretches]
        of_path: list[Decimal] = []
        for day, place in enumerate(places):
            # A stretch's usage is summed from the first coming day in it
            so_far = path[places.index(place) : day + 1].sum(axis=0)
            more[place] = [
                kind
                for line, quantity in zip(series, so_far, strict=True)
                for kind in divided(line, quantity, job.mixes[place])
            ]
            usage = [
                [*stretch.usage, *added]
                for stretch, added in zip(opened.stretches, more, strict=True)
            ]
            of_path.append(opened.rate_with(usage).total)
        totals.append(of_path)
    return totals


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


def _stretches_of(opened: OpenPeriod, coming: Sequence[datetime], now: datetime) -> list[int]:
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
