"""The inputs of forecasts: read from the database in one process, used in another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from backend.forecasting.futures import PATHS
from backend.forecasting.history import History, Mix, period_days
from backend.pricing.charges.rate_card import MeteredQuantity
from backend.spend.open_period import OpenPeriod
from backend_client.types.plans import Plan


@dataclass(frozen=True, slots=True)
class Candidate:
    """A plan on sale, and the period's usage so far by its windows."""

    plan: Plan
    usage: Sequence[MeteredQuantity]
    mix: Mix


@dataclass(frozen=True, slots=True)
class ForecastJob:
    """All inputs of a forecast.

    ``spent`` are the period's days before today: each day's start, and what was used in the period
    up to its end, by stretch. ``mixes`` are by stretch too.
    """

    opened: OpenPeriod
    history: History
    spent: Sequence[tuple[datetime, Sequence[Sequence[MeteredQuantity]]]]
    mixes: Sequence[Mix]
    now: datetime
    seed: int
    candidates: Sequence[Candidate] = ()
    paths: int = PATHS

    @property
    def place_now(self) -> int:
        """The index of the stretch in force."""
        return next(n for n, stretch in enumerate(self.opened.stretches) if self.now < stretch.end)

    @property
    def coming(self) -> list[datetime]:
        """The starts of today and of the period's following days."""
        zone = ZoneInfo(self.opened.period.time_zone)
        return [
            start
            for start in period_days(self.opened.period)
            if start.astimezone(zone).date() >= self.history.today
        ]
