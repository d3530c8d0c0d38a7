"""Quarter hours gathered into hours, days and months of a time zone's clocks."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, func, literal

from backend.metering.counting.daily import day_of
from backend.metering.events import BUCKET
from backend_client.types.usage import Granularity


def start_of(
    granularity: Granularity,
    quarter: ColumnElement[datetime],
    start: datetime,
    time_zone: str,
) -> ColumnElement[datetime]:
    """Return where what a quarter hour belongs to begins; all is of ``start`` in a total.

    ``true_start`` has to be called with each.
    """
    match granularity:
        case Granularity.QUARTER_HOUR:
            return quarter
        case Granularity.TOTAL:
            return literal(start)
        case Granularity.HOUR | Granularity.DAY | Granularity.MONTH as width:
            # Whole hours, days and months on the zone's clocks, summer time included.
            return func.date_trunc(width.value, quarter, time_zone)


@lru_cache(maxsize=65_536)
def true_start(start: datetime, granularity: Granularity, time_zone: str) -> datetime:
    """Return where PostgreSQL's hour, day or month begins if clocks change within it.

    PostgreSQL truncates what the clock shows: of a midnight that occurs twice it takes the second,
    and where clocks change by half an hour it names a full hour that did not exist.
    """
    match granularity:
        case Granularity.DAY | Granularity.MONTH:
            return day_of(start, time_zone)
        case Granularity.HOUR:
            zone = ZoneInfo(time_zone)
            shown = start.astimezone(zone)
            while start.astimezone(zone).minute and _offset(start, zone) == shown.utcoffset():
                start += BUCKET
    return start


def _offset(moment: datetime, zone: ZoneInfo) -> timedelta | None:
    return moment.astimezone(zone).utcoffset()
