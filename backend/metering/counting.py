"""Count events: insert the new ones and add them to the rollups, in one transaction.

The whole of "exactly once" rests here. The events' primary key decides what is new; rollups grow
by what was new and nothing else, in the transaction that inserted it. Whatever is repeated,
reordered or killed, an event is in both or in neither.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import asyncpg
import msgspec

from backend.metering.events import AcceptedEvent

_COLUMNS = (
    "tenant_id",
    "source",
    "id",
    "time",
    "received_at",
    "application_id",
    "key_id",
    "model",
    "quantities",
    "labels",
    "counted",
)

_MAKE_INCOMING = """
CREATE TEMPORARY TABLE IF NOT EXISTS incoming (
  tenant_id text, source text, id text, time timestamptz, received_at timestamptz,
  application_id text, key_id text, model text, quantities jsonb, labels jsonb, counted jsonb
) ON COMMIT DELETE ROWS
"""

# Every statement walks its rows in the order of a unique index, so that two workers that meet on
# the same rows wait for each other and never deadlock. A tenant that was removed has no events.
_COUNT = """
WITH fresh AS (
  INSERT INTO events (tenant_id, source, id, time, received_at, application_id, key_id, model,
                      quantities, labels, counted)
  SELECT DISTINCT ON (tenant_id, source, id)
         tenant_id, source, id, time, received_at, application_id, key_id, model,
         quantities, labels, counted
  FROM incoming
  WHERE EXISTS (SELECT 1 FROM tenants WHERE tenants.id = incoming.tenant_id)
  ORDER BY tenant_id, source, id, received_at
  ON CONFLICT (tenant_id, source, id) DO NOTHING
  RETURNING tenant_id, time, received_at, application_id, key_id, model, quantities
), added AS (
  INSERT INTO rollups (tenant_id, bucket, application_id, key_id, model, meter, quantity,
                       event_count)
  SELECT tenant_id, date_bin('15 minutes', time, 'epoch'::timestamptz), application_id, key_id,
         model, meter, sum(quantity::numeric), count(*)
  FROM fresh, jsonb_each_text(quantities) AS measured (meter, quantity)
  GROUP BY 1, 2, 3, 4, 5, 6
  ORDER BY 1, 2, 3, 4, 5, 6
  ON CONFLICT (tenant_id, bucket, application_id, key_id, model, meter) DO UPDATE
  SET quantity = rollups.quantity + excluded.quantity,
      event_count = rollups.event_count + excluded.event_count
), versions AS (
  INSERT INTO usage_versions (tenant_id, version, last_event_at)
  SELECT tenant_id, 1, max(received_at) FROM fresh GROUP BY tenant_id ORDER BY tenant_id
  ON CONFLICT (tenant_id) DO UPDATE
  SET version = usage_versions.version + 1,
      last_event_at = greatest(usage_versions.last_event_at, excluded.last_event_at)
)
SELECT (SELECT count(*) FROM fresh) AS new
"""


@dataclass(frozen=True, slots=True)
class Counted:
    """How many events of a batch were new, and how many were known already."""

    new: int
    known: int


async def count_events(connection: asyncpg.Connection, events: Sequence[AcceptedEvent]) -> Counted:
    """Insert and roll up ``events``; safe to repeat. Raises asyncpg's errors, changing nothing."""
    if not events:
        return Counted(0, 0)
    await connection.execute(_MAKE_INCOMING)
    async with connection.transaction():
        await connection.copy_records_to_table(
            "incoming", columns=_COLUMNS, records=[_record(event) for event in events]
        )
        new: int = await connection.fetchval(_COUNT)
    return Counted(new=new, known=len(events) - new)


def _record(event: AcceptedEvent) -> tuple[object, ...]:
    return (
        event.tenant_id,
        event.source,
        event.id,
        event.time,
        event.received_at,
        event.application_id,
        event.key_id,
        event.model,
        _json(event.quantities),
        _json(event.labels),
        None if event.counted is None else _json(event.counted),
    )


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
