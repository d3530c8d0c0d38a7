"""Billing periods and the quarter hours that prices change at. All instants are UTC."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from typing import Final
from zoneinfo import ZoneInfo

QUARTER_HOUR: Final = timedelta(minutes=15)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND: Final = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class BillingPeriod:
    """A calendar month of ``time_zone`` (IANA name); ``start`` inclusive, ``end`` exclusive."""

    start: datetime
    end: datetime
    time_zone: str

    def share(self, start: datetime, end: datetime) -> Fraction:
        """Return the part of the period's seconds that lies in ``start`` to ``end``."""
        overlap = min(end, self.end) - max(start, self.start)
        return Fraction(max(overlap // _SECOND, 0), (self.end - self.start) // _SECOND)

    def share_in_days(self, start: datetime, end: datetime) -> Fraction:
        """Return the part of the period's days whose ends lie in ``start`` to ``end``.

        A day belongs to what is in force when it ends: the first counts whole, the day of leaving
        not. So each day is in one stretch of those that divide a period, also where clocks change.
        """
        days = self._days_until(self.end)
        first, last = max(start, self.start), min(end, self.end)
        if first >= last:
            return Fraction(0)
        return Fraction(self._days_until(last) - self._days_until(first), days)

    def _days_until(self, moment: datetime) -> int:
        """Count the days of the period that have ended by ``moment``."""
        zone = ZoneInfo(self.time_zone)
        if moment >= self.end:  # the last day may be cut short by a change of the anchor
            moment, extra = self.end - timedelta(microseconds=1), 1
        else:
            extra = 0
        return (moment.astimezone(zone).date() - self.start.astimezone(zone).date()).days + extra


def billing_period(moment: datetime, time_zone: str) -> BillingPeriod:
    """Return the billing period that holds ``moment``.

    It begins at midnight of the first day of the month in ``time_zone``. Where a clock change
    skips that midnight the period begins at the change; where it repeats it, at the first.
    Raises ``zoneinfo.ZoneInfoNotFoundError`` for an unknown zone.
    """
    zone = ZoneInfo(time_zone)
    local = moment.astimezone(zone)
    month = local.year * 12 + local.month - 1
    # Clocks set back over the midnight of the first show the old month again after it.
    if moment >= _month_start(month + 1, zone):
        month += 1
    elif moment < _month_start(month, zone):
        month -= 1
    return BillingPeriod(_month_start(month, zone), _month_start(month + 1, zone), time_zone)


def next_billing_period(period: BillingPeriod) -> BillingPeriod:
    """Return the billing period that begins when ``period`` ends."""
    return billing_period(period.end, period.time_zone)


def quarter_hour_of(moment: datetime) -> datetime:
    """Return the start of the quarter hour that holds ``moment``."""
    return moment.astimezone(UTC) - (moment - _EPOCH) % QUARTER_HOUR


def next_quarter_hour(moment: datetime) -> datetime:
    """Return the first quarter hour that starts at ``moment`` or after it."""
    return moment.astimezone(UTC) + (_EPOCH - moment) % QUARTER_HOUR


def is_quarter_hour(moment: datetime) -> bool:
    """Tell whether ``moment`` is where a quarter hour starts."""
    return not (moment - _EPOCH) % QUARTER_HOUR


def day_start(day: date, zone: ZoneInfo) -> datetime:
    """Return where a day begins: at its midnight, or as ``billing_period`` says for the first."""
    # fold=0 gives a repeated midnight's first occurrence, and for a skipped one the moment of the
    # change, since the offset before the change is used. Offsets of the far past, which had odd
    # seconds, are cut to the quarter hour, so that rollups always split where periods do.
    return quarter_hour_of(datetime(day.year, day.month, day.day, tzinfo=zone))


def _month_start(month: int, zone: ZoneInfo) -> datetime:
    """Return where a month begins; ``month`` counts from January of the year 0."""
    return day_start(date(month // 12, month % 12 + 1, 1), zone)
