"""Values of meters that are not summed: how often each came up in a quarter hour.

A highest value can't be taken back from a highest value, but one from a count can: so what is kept
of each quarter hour is the number of events with each value, which is a sum like any rollup. The
order of events, how they are batched and what is corrected later make no difference to it, and the
highest, the last and the number of different values are read off exactly.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

import asyncpg

from backend.metering.counting.daily import columns_of
from backend.metering.errors import RollupsIncomplete
from backend.metering.events import AcceptedEvent, bucket_start
from backend.pricing.charges.meters import member_of
from backend_client.types.meters import Aggregation, CatalogMeter

ValueKey = tuple[str, str, datetime, str, str, str, str, Decimal, datetime]
"""Tenant, meter, bucket, application, key, model, member, value, and when (of a last value)."""

_GROW: Final = """
INSERT INTO usage_values (tenant_id, meter, bucket, application_id, key_id, model, member, quantity,
                          at, event_count)
SELECT * FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::text[], $5::text[], $6::text[],
                     $7::text[], $8::numeric[], $9::timestamptz[], $10::bigint[])
ON CONFLICT (tenant_id, meter, bucket, application_id, key_id, model, member, quantity, at)
DO UPDATE SET event_count = usage_values.event_count + excluded.event_count
"""
_SHRINK: Final = """
UPDATE usage_values SET event_count = usage_values.event_count + change.event_count
FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::text[], $5::text[], $6::text[],
            $7::text[], $8::numeric[], $9::timestamptz[], $10::bigint[])
  AS change (tenant_id, meter, bucket, application_id, key_id, model, member, quantity, at,
             event_count)
WHERE (usage_values.tenant_id, usage_values.meter, usage_values.bucket, usage_values.application_id,
       usage_values.key_id, usage_values.model, usage_values.member, usage_values.quantity,
       usage_values.at)
    = (change.tenant_id, change.meter, change.bucket, change.application_id, change.key_id,
       change.model, change.member, change.quantity, change.at)
"""
_SWEEP: Final = """
DELETE FROM usage_values
WHERE tenant_id = ANY($1::text[]) AND meter = ANY($2::text[]) AND bucket = ANY($3::timestamptz[])
  AND event_count = 0
"""

_WANTED: Final = """
SELECT meter, date_bin('15 minutes', time, 'epoch'::timestamptz) AS bucket, application_id, key_id,
       model, coalesce(events.labels ->> (definition ->> 'label'), '') AS member,
       CASE aggregation WHEN 'unique' THEN 0 ELSE measured.quantity::numeric END AS quantity,
       CASE aggregation WHEN 'last' THEN time
                        ELSE date_bin('15 minutes', time, 'epoch'::timestamptz) END AS at,
       count(*) AS event_count
FROM events, jsonb_each_text(quantities) AS measured (meter, quantity)
JOIN catalog_meters ON catalog_meters.id = measured.meter AND aggregation <> 'sum'
WHERE tenant_id = $1 AND time >= $2 AND time < $3 AND NOT voided
GROUP BY 1, 2, 3, 4, 5, 6, 7, 8
"""
_DIFFERENCES: Final = """
WITH wanted AS (WANTED), present AS (
  SELECT meter, bucket, application_id, key_id, model, member, quantity, at, event_count
  FROM usage_values WHERE tenant_id = $1 AND bucket >= $2 AND bucket < $3
)
SELECT count(*)
FROM wanted
FULL JOIN present USING (meter, bucket, application_id, key_id, model, member, quantity, at)
WHERE wanted.event_count IS DISTINCT FROM present.event_count
  -- Archived usage is not in the events but stays in the values.
  AND NOT EXISTS (SELECT 1 FROM event_archives
                  WHERE tenant_id = $1 AND start_at < $3 AND end_at > $2 AND restored_at IS NULL)
""".replace("WANTED", _WANTED)
_CLEAR: Final = "DELETE FROM usage_values WHERE tenant_id = $1 AND bucket >= $2 AND bucket < $3"
_FILL: Final = """
INSERT INTO usage_values (tenant_id, meter, bucket, application_id, key_id, model, member, quantity,
                          at, event_count)
SELECT $1, meter, bucket, application_id, key_id, model, member, quantity, at, event_count
FROM (WANTED) AS wanted
""".replace("WANTED", _WANTED)


class ValueDeltas:
    """Changes of how often values came up."""

    def __init__(self) -> None:
        self._counts: defaultdict[ValueKey, int] = defaultdict(int)

    def count(
        self, event: AcceptedEvent, meter: CatalogMeter, quantity: Decimal, change: int
    ) -> None:
        """Count an event's value of a meter once more, or (``change`` -1) once less."""
        bucket = bucket_start(event.time)
        key = (
            event.tenant_id,
            meter.id,
            bucket,
            event.application_id,
            event.key_id,
            event.model,
            member_of(meter, event.labels),
            Decimal(0) if meter.aggregation is Aggregation.UNIQUE else quantity,
            event.time.astimezone(UTC) if meter.aggregation is Aggregation.LAST else bucket,
        )
        self._counts[key] += change

    async def apply(self, connection: asyncpg.Connection) -> None:
        """Write the changes in the caller's transaction; raise as ``apply_deltas`` does."""
        changes = sorted((key, change) for key, change in self._counts.items() if change)
        growing = [(*key, change) for key, change in changes if change > 0]
        shrinking = [(*key, change) for key, change in changes if change < 0]
        if growing:
            await connection.execute(_GROW, *columns_of(growing))
        if shrinking:
            columns = columns_of(shrinking)
            try:
                changed = await connection.execute(_SHRINK, *columns)
            except asyncpg.CheckViolationError as error:
                raise RollupsIncomplete() from error
            if changed != f"UPDATE {len(shrinking)}":
                raise RollupsIncomplete()
            await connection.execute(_SWEEP, *(list(set(column)) for column in columns[:3]))


async def rebuild_values(
    connection: asyncpg.Connection, tenant_id: str, start: datetime, end: datetime, *, repair: bool
) -> int:
    """Compare a time's values with its events; correct them if asked. Return how many were wrong.

    With ``repair`` the caller must own the tenant's lock.
    """
    wrong: int = await connection.fetchval(_DIFFERENCES, tenant_id, start, end)
    if wrong and repair:
        await connection.execute(_CLEAR, tenant_id, start, end)
        await connection.execute(_FILL, tenant_id, start, end)
    return wrong
