"""The years, or quarters, that fees are for. Pure."""

from __future__ import annotations

from calendar import monthrange
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from backend.pricing.periods import quarter_hour_of

MONTHS: Final = 12
_SECOND: Final = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class PlanYears:
    """Years one after another from ``since`` on, on the clocks of ``time_zone`` (IANA name).

    Each begins with the same date and time of day as the first. 29 February is the 28th in a year
    that has none, and comes back in one that has it. With fewer ``months`` they are quarters, which
    begin with the same day of the month, or its last.
    """

    since: datetime
    time_zone: str
    months: int = MONTHS

    def start(self, number: int) -> datetime:
        """Return where a year begins, and the one before it ends; the first has the number 0.

        A time that clocks skip is taken as if they had not been set forward; of a time that they
        repeat the first counts.
        """
        return _start(self.since, self.time_zone, self.months, number)

    def passed(self, moment: datetime, *, by_day: bool = False) -> Fraction:
        """Return how many years have passed at a moment: whole ones, and a part of the current one.

        The part is measured in seconds, or ``by_day`` in days that have ended.
        """
        zone = ZoneInfo(self.time_zone)
        now, first = moment.astimezone(zone), self.since.astimezone(zone)
        number = ((now.year - first.year) * MONTHS + now.month - first.month) // self.months
        while moment >= self.start(number + 1):
            number += 1
        while moment < self.start(number):
            number -= 1
        start, end = self.start(number), self.start(number + 1)
        if by_day:
            dates = (instant.astimezone(zone).date() for instant in (start, moment, end))
            began, today, ends = dates
            return number + Fraction((today - began).days, (ends - began).days)
        return number + Fraction((moment - start) // _SECOND, (end - start) // _SECOND)


@lru_cache(maxsize=4096)  # a forecast asks for the same years thousands of times
def _start(since: datetime, time_zone: str, months: int, number: int) -> datetime:
    if number == 0:
        return since
    local = since.astimezone(ZoneInfo(time_zone))
    years, month = divmod(local.month - 1 + number * months, MONTHS)
    year, month = local.year + years, month + 1
    day = min(local.day, monthrange(year, month)[1])
    return quarter_hour_of(local.replace(year=year, month=month, day=day, fold=0))
