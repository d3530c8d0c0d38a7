"""A tenant's usage by its own days, and by its kinds. Pure; ``queries`` reads it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from backend.pricing.charges.rate_card import MeteredQuantity
from backend.pricing.periods import BillingPeriod, day_start

Mix = dict[tuple[str, str], list[MeteredQuantity]]
"""The kinds of usage of each (model, meter); each ``quantity`` is a share, and they sum to 1."""

RECENT_DAYS = 28


@dataclass(frozen=True, slots=True)
class Series:
    """A model's meter, by day. ``days`` are the history's complete days, zero where unused.

    ``today`` is today's usage so far, ``remaining`` the share of a usual day that comes after
    this time of day, and ``whole`` whether it is counted in whole units.
    """

    model: str
    meter: str
    days: tuple[float, ...]
    today: float
    remaining: float
    whole: bool


@dataclass(frozen=True, slots=True)
class History:
    """Daily usage from the first day with any to yesterday, and today so far.

    ``today`` is the tenant's date, ``elapsed`` the part of it that has passed.
    """

    today: date
    elapsed: float
    days: int
    series: tuple[Series, ...]

    @property
    def first(self) -> date:
        """The first complete day; today if there is none."""
        return self.today - timedelta(days=self.days)


def period_days(period: BillingPeriod) -> list[datetime]:
    """Return where each of the period's days begins."""
    zone = ZoneInfo(period.time_zone)
    first = period.start.astimezone(zone).date()
    if day_start(first + timedelta(days=1), zone) <= period.start:
        first += timedelta(days=1)  # clocks set back over midnight show the old day again
    days = [period.start]
    while (start := day_start(first + timedelta(days=len(days)), zone)) < period.end:
        days.append(start)
    return days


def kinds_of(quantities: Sequence[MeteredQuantity]) -> Mix:
    """Return each kind's share of its model's meter."""
    totals: defaultdict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for used in quantities:
        totals[used.model, used.meter] += used.quantity
    mix: defaultdict[tuple[str, str], list[MeteredQuantity]] = defaultdict(list)
    for used in quantities:
        if total := totals[used.model, used.meter]:
            mix[used.model, used.meter].append(replace(used, quantity=used.quantity / total))
    return dict(mix)
