"""Billing periods and the quarter hours that prices change at. All instants are UTC."""

from __future__ import annotations

from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from typing import Final
from zoneinfo import ZoneInfo

QUARTER_HOUR: Final = timedelta(minutes=15)
INSTANT: Final = timedelta(microseconds=1)
"""The smallest step of time that PostgreSQL keeps: just before an exclusive end."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND: Final = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class BillingPeriod:
    """A month of ``time_zone`` (IANA name); ``start`` inclusive, ``end`` exclusive.

    Where a tenant's anchor day changed, one period is cut short. ``uncut`` is then the whole month
    that it is a part of: a fee for the month is asked for by the part of it that the period has.
    """

    start: datetime
    end: datetime
    time_zone: str
    uncut: tuple[datetime, datetime] | None = None

    def share(self, start: datetime, end: datetime) -> Fraction:
        """Return which part of the period's seconds lies between ``start`` and ``end``."""
        overlap = min(end, self.end) - max(start, self.start)
        first, last = self.uncut or (self.start, self.end)
        return Fraction(max(overlap // _SECOND, 0), (last - first) // _SECOND)

    def share_in_days(self, start: datetime, end: datetime) -> Fraction:
        """Return which part of the period's days ends between ``start`` and ``end``.

        A day belongs to what is in force when it ends: the first counts whole, the day of leaving
        not. So each day is in one stretch of those that divide a period, also where clocks change.
        """
        first, last = max(start, self.start), min(end, self.end)
        if first >= last:
            return Fraction(0)
        whole_first, whole_last = self.uncut or (self.start, self.end)
        return Fraction(self._days(first, last), self._days(whole_first, whole_last))

    def _days(self, start: datetime, end: datetime) -> int:
        """Count the ends of days after ``start``, up to and including ``end``."""
        zone = ZoneInfo(self.time_zone)
        return (end.astimezone(zone).date() - start.astimezone(zone).date()).days


def billing_period(moment: datetime, time_zone: str, anchor_day: int = 1) -> BillingPeriod:
    """Return the billing period that ``moment`` is in.

    It begins at midnight of the month's ``anchor_day`` in ``time_zone``, or of its last day in a
    month that has no such day; the next begins with the day again. Where a clock change skips that
    midnight the period begins at the change; where it repeats it, at the first. Raises
    ``zoneinfo.ZoneInfoNotFoundError`` for an unknown zone.
    """
    zone = ZoneInfo(time_zone)
    local = moment.astimezone(zone)
    month = local.year * 12 + local.month - 1
    # Clocks set back over a midnight show the old day again after it.
    while moment >= _month_start(month + 1, zone, anchor_day):
        month += 1
    while moment < _month_start(month, zone, anchor_day):
        month -= 1
    start, end = (_month_start(month + step, zone, anchor_day) for step in (0, 1))
    return BillingPeriod(start, end, time_zone)


def next_billing_period(period: BillingPeriod) -> BillingPeriod:
    """Return the calendar month that begins when ``period`` ends."""
    return billing_period(period.end, period.time_zone)


def quarter_hour_of(moment: datetime) -> datetime:
    """Return the start of the quarter hour that ``moment`` is in."""
    return moment.astimezone(UTC) - (moment - _EPOCH) % QUARTER_HOUR


def next_quarter_hour(moment: datetime) -> datetime:
    """Return the first quarter hour that starts at ``moment`` or after it."""
    return moment.astimezone(UTC) + (_EPOCH - moment) % QUARTER_HOUR


def is_quarter_hour(moment: datetime) -> bool:
    """Return whether ``moment`` is where a quarter hour starts."""
    return not (moment - _EPOCH) % QUARTER_HOUR


def day_start(day: date, zone: ZoneInfo) -> datetime:
    """Return where a day begins: at its midnight, or as ``billing_period`` says for the first."""
    # fold=0 gives a repeated midnight's first occurrence, and for a skipped one the moment of the
    # change, since the offset before the change is used. Offsets of the far past, which had odd
    # seconds, are cut to the quarter hour, so that rollups always split where periods do.
    return quarter_hour_of(datetime(day.year, day.month, day.day, tzinfo=zone))


def _month_start(month: int, zone: ZoneInfo, anchor_day: int = 1) -> datetime:
    """Return where a billing month begins; ``month`` counts from January of the year 0."""
    year, index = divmod(month, 12)
    last = monthrange(year, index + 1)[1]
    return day_start(date(year, index + 1, min(anchor_day, last)), zone)
