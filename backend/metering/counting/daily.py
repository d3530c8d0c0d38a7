"""Daily rollups: the quarter hours of each of a tenant's days, summed once more.

A question about months reads one row a day instead of 96. They are written in the transaction that
writes the rollups, so the two never disagree; a rebuild checks that too. Days are the tenant's own,
from midnight as ``backend.pricing.periods`` defines it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

import asyncpg

from backend.pricing.money import EXACT
from backend.pricing.periods import day_start

_ONE_DAY = timedelta(days=1)
_ZONES = "SELECT id, time_zone FROM tenants WHERE id = ANY($1::text[])"

_ADD = """
INSERT INTO daily_rollups (tenant_id, day, application_id, key_id, model, upstream, meter, labels,
                           quantity, event_count)
SELECT * FROM unnest($1::text[], $2::timestamptz[], $3::text[], $4::text[], $5::text[],
                     $6::text[], $7::text[], $8::jsonb[], $9::numeric[], $10::bigint[])
ON CONFLICT (tenant_id, day, application_id, key_id, model, upstream, meter, labels) DO UPDATE
SET quantity = daily_rollups.quantity + excluded.quantity,
    event_count = daily_rollups.event_count + excluded.event_count
"""

_SWEEP = """
DELETE FROM daily_rollups
WHERE tenant_id = ANY($1::text[]) AND day = ANY($2::timestamptz[]) AND event_count = 0
"""

_SUMS = """
SELECT local_day.start_at AS day, application_id, key_id, model, upstream, meter, labels,
       sum(quantity) AS quantity, sum(event_count)::bigint AS event_count
FROM unnest($2::timestamptz[], $3::timestamptz[]) AS local_day (start_at, end_at)
JOIN rollups ON tenant_id = $1 AND bucket >= local_day.start_at AND bucket < local_day.end_at
GROUP BY 1, 2, 3, 4, 5, 6, 7
"""

_WRONG = """
WITH wanted AS (SUMS), found AS (
  SELECT day, application_id, key_id, model, upstream, meter, labels, quantity, event_count
  FROM daily_rollups WHERE tenant_id = $1 AND day >= $4 AND day < $5
)
SELECT count(*)
FROM wanted FULL JOIN found USING (day, application_id, key_id, model, upstream, meter, labels)
WHERE wanted.quantity IS DISTINCT FROM found.quantity
   OR wanted.event_count IS DISTINCT FROM found.event_count
""".replace("SUMS", _SUMS)

_CLEAR = "DELETE FROM daily_rollups WHERE tenant_id = $1 AND day >= $2 AND day < $3"
_FILL = """
INSERT INTO daily_rollups (tenant_id, day, application_id, key_id, model, upstream, meter, labels,
                           quantity, event_count)
SELECT $1, * FROM (SUMS) AS summed
""".replace("SUMS", _SUMS)


@dataclass(frozen=True, slots=True)
class SplitTime:
    """A time as whole days, and what is left of it before and after them.

    ``days`` is where the first day begins and the last ends; None if there is no whole day.
    """

    days: tuple[datetime, datetime] | None
    rest: tuple[tuple[datetime, datetime], ...]


def split_at_days(start: datetime, end: datetime, time_zone: str) -> SplitTime:
    """Split ``start`` to ``end`` into whole days, as many as possible, and the rest."""
    zone = ZoneInfo(time_zone)
    first = day_of(start, time_zone)
    if first < start:
        first = _next_day(first, zone)
    last = day_of(end, time_zone)
    if first >= last:
        return SplitTime(None, ((start, end),))
    rest = [(start, first), (last, end)]
    return SplitTime((first, last), tuple(part for part in rest if part[0] < part[1]))


@lru_cache(maxsize=65_536)
def day_of(moment: datetime, time_zone: str) -> datetime:
    """Return where the day that ``moment`` is in begins."""
    zone = ZoneInfo(time_zone)
    local = moment.astimezone(zone).date()
    # Clocks set back over a midnight show the old day again after it.
    after = day_start(local + _ONE_DAY, zone)
    return after if after <= moment else day_start(local, zone)


async def add_to_days(connection: asyncpg.Connection, rows: Iterable[tuple[Any, ...]]) -> None:
    """Add changes of rollups to their days. Rows are keys of rollups, a quantity and a count."""
    changes = list(rows)
    rows_of_zones = await connection.fetch(_ZONES, list({row[0] for row in changes}))
    zones: dict[str, str] = {row["id"]: row["time_zone"] for row in rows_of_zones}
    sums: dict[tuple[Any, ...], tuple[Any, int]] = {}
    shrinks = False
    for tenant_id, bucket, *others, quantity, count in changes:
        key = (tenant_id, day_of(bucket, zones[tenant_id]), *others)
        sum_so_far = sums.get(key)
        sums[key] = (
            (quantity, count)
            if sum_so_far is None
            else (EXACT.add(sum_so_far[0], quantity), sum_so_far[1] + count)
        )
        shrinks = shrinks or count < 0
    # In the order of the key, so that two workers that meet wait for each other.
    columns = columns_of([(*key, *sums[key]) for key in sorted(sums)])
    await connection.execute(_ADD, *columns)
    if shrinks:
        await connection.execute(_SWEEP, list(set(columns[0])), list(set(columns[1])))


async def rebuild_days(
    connection: asyncpg.Connection, tenant_id: str, start: datetime, end: datetime, *, repair: bool
) -> int:
    """Compare the days that ``start`` to ``end`` touches with their rollups; correct them if asked.

    Returns how many rows were wrong. With ``repair`` the caller must own the tenant's lock.
    """
    [(_, time_zone)] = await connection.fetch(_ZONES, [tenant_id])
    starts = day_starts(start, end, time_zone)
    days = (starts[:-1], starts[1:])
    wrong: int = await connection.fetchval(_WRONG, tenant_id, *days, starts[0], starts[-1])
    if wrong and repair:
        await connection.execute(_CLEAR, tenant_id, starts[0], starts[-1])
        await connection.execute(_FILL, tenant_id, *days)
    return wrong


def day_starts(start: datetime, end: datetime, time_zone: str) -> Sequence[datetime]:
    """Return where the days between ``start`` and ``end`` begin, and where the last ends."""
    zone = ZoneInfo(time_zone)
    starts = [day_of(start.astimezone(UTC), time_zone)]
    while starts[-1] < end:
        starts.append(_next_day(starts[-1], zone))
    return starts


def _next_day(day: datetime, zone: ZoneInfo) -> datetime:
    return day_start(day.astimezone(zone).date() + _ONE_DAY, zone)


def columns_of(rows: Iterable[tuple[object, ...]]) -> list[list[object]]:
    """Turn rows into columns: what ``unnest`` takes, one array a column."""
    return [list(column) for column in zip(*rows, strict=True)]
