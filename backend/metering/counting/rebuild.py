"""Rebuild rollups from events, or only compare them, while events come in.

An event and its share of the rollups are committed together, so in any one snapshot the two agree
exactly, or something is wrong. A day that agrees is read without a lock and not changed. One that
differs is repaired with the tenant locked, for as long as that takes.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import asyncpg

from backend.metering.counting.daily import rebuild_days
from backend.metering.counting.locks import own_tenant
from backend.metering.counting.values import rebuild_values

_DAY = timedelta(days=1)

_SPAN = """
SELECT least(e.first, r.first), greatest(e.last, r.last)
FROM (SELECT min(time) AS first, max(time) AS last FROM events WHERE tenant_id = $1) AS e,
     (SELECT min(bucket) AS first, max(bucket) AS last FROM rollups WHERE tenant_id = $1) AS r
"""

_DIFFERENCES = """
WITH own_labels AS (
  SELECT label FROM declared_labels WHERE tenant_id = $1
), wanted AS (
  SELECT date_bin('15 minutes', time, 'epoch'::timestamptz) AS bucket, application_id, key_id,
         model, upstream, meter,
         coalesce((SELECT jsonb_object_agg(label, events.labels -> label)
                   FROM own_labels WHERE events.labels ? label), '{}') AS labels,
         sum(measured.quantity::numeric) AS quantity, count(*) AS event_count
  FROM events, jsonb_each_text(quantities) AS measured (meter, quantity)
  WHERE tenant_id = $1 AND time >= $2 AND time < $3 AND NOT voided
    -- What is not summed is beside the rollups
    AND meter NOT IN (SELECT id FROM catalog_meters WHERE aggregation <> 'sum')
  GROUP BY 1, 2, 3, 4, 5, 6, 7
), found AS (
  SELECT bucket, application_id, key_id, model, upstream, meter, labels, quantity, event_count
  FROM rollups WHERE tenant_id = $1 AND bucket >= $2 AND bucket < $3
)
SELECT bucket, application_id, key_id, model, upstream, meter, labels::text, wanted.quantity,
       wanted.event_count
FROM wanted FULL JOIN found USING (bucket, application_id, key_id, model, upstream, meter, labels)
WHERE (wanted.quantity IS DISTINCT FROM found.quantity
       OR wanted.event_count IS DISTINCT FROM found.event_count)
  -- Archived usage is not in the events but stays in the rollups.
  AND NOT EXISTS (SELECT 1 FROM event_archives
                  WHERE tenant_id = $1 AND start_at < $3 AND end_at > $2 AND restored_at IS NULL)
ORDER BY bucket, application_id, key_id, model, upstream, meter, labels
"""

_REMOVE = """
DELETE FROM rollups
WHERE (tenant_id, bucket, application_id, key_id, model, upstream, meter, labels)
    = ($1, $2, $3, $4, $5, $6, $7, $8)
"""
_SET = """
INSERT INTO rollups (tenant_id, bucket, application_id, key_id, model, upstream, meter, labels,
                     quantity, event_count)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
ON CONFLICT (tenant_id, bucket, application_id, key_id, model, upstream, meter, labels) DO UPDATE
SET quantity = excluded.quantity, event_count = excluded.event_count
"""
_VERSION = "UPDATE usage_versions SET version = version + 1 WHERE tenant_id = $1"


@dataclass(frozen=True, slots=True)
class RebuiltDay:
    """A day (UTC) that was compared, and how many of its rollups were wrong.

    Rows of daily rollups for the tenant's days that it touches are included, and values of meters
    that are not summed.
    """

    start: datetime
    wrong: int


async def rebuild_usage(
    connection: asyncpg.Connection,
    tenant_id: str,
    *,
    start: datetime | None = None,
    end: datetime | None = None,
    repair: bool = True,
) -> AsyncIterator[RebuiltDay]:
    """Compare a tenant's days, repair each if ``repair``, and yield it.

    The quarter hours of a day with archived events are left as they are; its daily rollups are
    compared. Old usage is counted by labels that were declared since, too. Each day is a
    transaction of its own: completed days stay if a later one fails.
    """
    extent = await _extent(connection, tenant_id, start, end)
    if extent is None:
        return
    day, last = extent
    while day <= last:
        yield RebuiltDay(day, await _rebuild_day(connection, tenant_id, day, repair=repair))
        day += _DAY


async def _extent(
    connection: asyncpg.Connection,
    tenant_id: str,
    start: datetime | None,
    end: datetime | None,
) -> tuple[datetime, datetime] | None:
    """Return the first day and the last moment to compare."""
    extremes = await connection.fetchrow(_SPAN, tenant_id)
    if extremes is None or extremes[0] is None:
        return None
    first, last = extremes
    first = max(moment for moment in (first, start) if moment is not None)
    last = min(moment for moment in (last, end and end - timedelta.resolution) if moment)
    day = first.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return day, last


async def _rebuild_day(
    connection: asyncpg.Connection, tenant_id: str, day: datetime, *, repair: bool
) -> int:
    end = day + _DAY
    differences = await connection.fetch(_DIFFERENCES, tenant_id, day, end)
    days = await rebuild_days(connection, tenant_id, day, end, repair=False)
    values = await rebuild_values(connection, tenant_id, day, end, repair=False)
    wrong = len(differences) + days + values
    if not wrong or not repair:
        return wrong
    async with connection.transaction():
        if not await own_tenant(connection, tenant_id):
            return 0  # removed in the meantime
        # Compared again under the lock: more may differ by now.
        return await repair_day(connection, tenant_id, day)


async def repair_day(connection: asyncpg.Connection, tenant_id: str, day: datetime) -> int:
    """Set a day's rollups to what its events say; return how many differed.

    Runs in the caller's transaction, which must own the tenant's lock.
    """
    end = day + _DAY
    differences = await connection.fetch(_DIFFERENCES, tenant_id, day, end)
    needless = [(tenant_id, *row)[:8] for row in differences if row["event_count"] is None]
    right = [(tenant_id, *row) for row in differences if row["event_count"] is not None]
    await connection.executemany(_REMOVE, needless)
    await connection.executemany(_SET, right)
    days = await rebuild_days(connection, tenant_id, day, end, repair=True)
    values = await rebuild_values(connection, tenant_id, day, end, repair=True)
    wrong = len(differences) + days + values
    if wrong:
        await connection.execute(_VERSION, tenant_id)
    return wrong
