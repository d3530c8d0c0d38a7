"""What the usage page asks the API: a range of time, cut into buckets. Plain functions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from backend_client.types.usage import Granularity, UsageDimension

RANGES = {
    "hour": "Last hour",
    "day": "Last 24 hours",
    "week": "Last 7 days",
    "month": "Last 30 days",
    "period": "This month",
    "year": "Last 12 months",
}
WIDTHS = {
    "hour": (Granularity.QUARTER_HOUR,),
    "day": (Granularity.HOUR, Granularity.QUARTER_HOUR),
    "week": (Granularity.DAY, Granularity.HOUR),
    "month": (Granularity.DAY, Granularity.HOUR),
    "period": (Granularity.DAY, Granularity.HOUR),
    "year": (Granularity.MONTH, Granularity.DAY),
}
"""The bucket widths a range can be cut into, the usual one first; at most 744 buckets."""

WIDTH_NAMES = {
    Granularity.QUARTER_HOUR: "15 minutes",
    Granularity.HOUR: "Hours",
    Granularity.DAY: "Days",
    Granularity.MONTH: "Months",
}
SPLITS = {
    "meter": "By meter",
    "model": "By model",
    "application": "By application",
    "key": "By API key",
}


@dataclass(frozen=True)
class UsageQuestion:
    """A question to ``GET /v1/usage``. ``end`` is the end of the bucket that now is in."""

    start: datetime
    end: datetime
    granularity: Granularity
    group_by: tuple[UsageDimension, ...]


def usage_question(
    chosen: str, width: str, split: str, *, now: datetime, time_zone: str
) -> UsageQuestion:
    """The question for a range, bucket width and split; the usual ones for unknown words.

    The start moves with the clock only at bucket boundaries, so that asking again a second later
    asks the same.
    """
    chosen = chosen if chosen in RANGES else "day"
    widths = WIDTHS[chosen]
    granularity = next((g for g in widths if g.value == width), widths[0])
    zone = ZoneInfo(time_zone)
    midnight = now.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
    month = midnight.replace(day=1)
    quarter = now.replace(minute=now.minute - now.minute % 15, second=0, microsecond=0)
    hour = now.replace(minute=0, second=0, microsecond=0)
    start, end = {
        "hour": (quarter - timedelta(minutes=45), quarter + timedelta(minutes=15)),
        "day": (hour - timedelta(hours=23), hour + timedelta(hours=1)),
        "week": (midnight - timedelta(days=6), midnight + timedelta(days=1)),
        "month": (midnight - timedelta(days=29), midnight + timedelta(days=1)),
        "period": (month, _next_month(month)),
        "year": (_months_before(month, 11), _next_month(month)),
    }[chosen]
    dimension = UsageDimension(split) if split in SPLITS else UsageDimension.METER
    return UsageQuestion(start, end, granularity, (dimension,))


def _next_month(month: datetime) -> datetime:
    return (month + timedelta(days=32)).replace(day=1)


def _months_before(month: datetime, number: int) -> datetime:
    months = month.year * 12 + month.month - 1 - number
    return month.replace(year=months // 12, month=months % 12 + 1)
