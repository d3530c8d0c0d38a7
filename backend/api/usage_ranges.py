"""The ranges of time that usage can be asked for: on quarter hours, and not too long."""

from __future__ import annotations

from datetime import datetime, timedelta

from backend.api.errors import SpanTooLong
from backend.errors import InvalidInput
from backend.metering.errors import RangeNotOnQuarterHours
from backend.metering.events import BUCKET, bucket_start
from backend_client.types.problems import FieldError
from backend_client.types.usage import Granularity

_LONGEST = {
    Granularity.QUARTER_HOUR: timedelta(days=31),
    Granularity.HOUR: timedelta(days=93),
}


def require_range(
    start: datetime, end: datetime, granularity: Granularity, *, most: timedelta | None = None
) -> None:
    """Check a question's range, of at most as many days if ``most`` is given.

    Raises:
        InvalidInput: the end is not after the start.
        RangeNotOnQuarterHours: usage is not kept by less.
        SpanTooLong: there would be too many buckets.
    """
    if end <= start:
        raise InvalidInput(
            "end must be after start.", errors=[FieldError(field="end", detail="not after start")]
        )
    for name, moment in (("start", start), ("end", end)):
        before = bucket_start(moment)
        if moment != before:
            around = f"{before:%H:%M} or {before + BUCKET:%H:%M}"
            raise RangeNotOnQuarterHours(
                f"Usage is summed by quarter hours (UTC), and {name} is within one: ask for "
                f"{around}.",
                errors=[FieldError(field=name, detail=f"is not on a quarter hour, as {around} is")],
            )
    if most is not None and end - start > most:
        raise SpanTooLong(
            f"This question spans at most {most.days} days.",
            errors=[FieldError(field="start", detail="is too far from the end")],
        )
    longest = _LONGEST.get(granularity)
    if longest is not None and end - start > longest:
        raise SpanTooLong(
            f"At this granularity a question spans at most {longest.days} days.",
            errors=[FieldError(field="granularity", detail="choose a wider one, or less time")],
        )
