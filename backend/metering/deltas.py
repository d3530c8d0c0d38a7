"""What events and their corrections add to the rollups, summed exactly before it is written."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime
from decimal import Decimal

import asyncpg
import msgspec

from backend.metering.days import add_to_days
from backend.metering.events import AcceptedEvent, bucket_start
from backend.pricing.money import EXACT

RollupKey = tuple[str, datetime, str, str, str, str, str]
"""Tenant, bucket, application, key, model, meter, and the declared labels as sorted JSON."""

_DECLARED = "SELECT tenant_id, label FROM declared_labels WHERE tenant_id = ANY($1::text[])"

_GROW = """
INSERT INTO rollups (tenant_id, bucket, application_id, key_id, model, meter, labels, quantity,
                     event_count)
SELECT * FROM unnest($1::text[], $2::timestamptz[], $3::text[], $4::text[], $5::text[],
                     $6::text[], $7::jsonb[], $8::numeric[], $9::bigint[])
ON CONFLICT (tenant_id, bucket, application_id, key_id, model, meter, labels) DO UPDATE
SET quantity = rollups.quantity + excluded.quantity,
    event_count = rollups.event_count + excluded.event_count
"""

_SHRINK = """
UPDATE rollups
SET quantity = rollups.quantity + change.quantity,
    event_count = rollups.event_count + change.event_count
FROM unnest($1::text[], $2::timestamptz[], $3::text[], $4::text[], $5::text[], $6::text[],
            $7::jsonb[], $8::numeric[], $9::bigint[])
  AS change (tenant_id, bucket, application_id, key_id, model, meter, labels, quantity,
             event_count)
WHERE (rollups.tenant_id, rollups.bucket, rollups.application_id, rollups.key_id, rollups.model,
       rollups.meter, rollups.labels)
    = (change.tenant_id, change.bucket, change.application_id, change.key_id, change.model,
       change.meter, change.labels)
"""

_SWEEP = """
DELETE FROM rollups
WHERE tenant_id = ANY($1::text[]) AND bucket = ANY($2::timestamptz[]) AND event_count = 0
"""


class RollupDeltas:
    """What is added and taken away, by rollup. ``labels`` are those that each tenant declared."""

    def __init__(self, labels: Mapping[str, Collection[str]]) -> None:
        self._labels = labels
        self._sums: dict[RollupKey, tuple[Decimal, int]] = {}

    def __iter__(self) -> Iterator[tuple[RollupKey, Decimal, int]]:
        """Yield each rollup's change of quantity and of event count, in the order of their key."""
        for key in sorted(self._sums):
            quantity, count = self._sums[key]
            if quantity or count:
                yield key, quantity, count

    def add(self, event: AcceptedEvent) -> None:
        """Add an event's quantities."""
        sums = self._sums
        for key, quantity in self._quantities(event):
            known = sums.get(key)
            if known is None:
                sums[key] = (quantity, 1)
            else:
                sums[key] = (EXACT.add(known[0], quantity), known[1] + 1)

    def take_away(self, event: AcceptedEvent) -> None:
        """Take an event's quantities away again."""
        for key, quantity in self._quantities(event):
            known = self._sums.get(key, (Decimal(0), 0))
            self._sums[key] = (EXACT.subtract(known[0], quantity), known[1] - 1)

    def _quantities(self, event: AcceptedEvent) -> Iterator[tuple[RollupKey, Decimal]]:
        tenant_id, application_id, key_id = event.tenant_id, event.application_id, event.key_id
        bucket, model, labels = bucket_start(event.time), event.model, self._rollup_labels(event)
        for meter, quantity in event.quantities.items():
            yield (tenant_id, bucket, application_id, key_id, model, meter, labels), quantity

    def _rollup_labels(self, event: AcceptedEvent) -> str:
        declared = self._labels.get(event.tenant_id)
        if not declared or not event.labels:
            return "{}"
        kept = {name: event.labels[name] for name in declared if name in event.labels}
        return msgspec.json.encode(kept, order="sorted").decode()


async def declared_labels(
    connection: asyncpg.Connection, tenant_ids: Iterable[str]
) -> dict[str, set[str]]:
    """Return the labels that are part of the rollups' key, by tenant."""
    found: dict[str, set[str]] = {}
    for tenant_id, label in await connection.fetch(_DECLARED, list(tenant_ids)):
        found.setdefault(tenant_id, set()).add(label)
    return found


async def apply_deltas(connection: asyncpg.Connection, deltas: RollupDeltas) -> None:
    """Write the changes to the rollups, in the caller's transaction.

    Raises ``RuntimeError`` if something is to be taken away that is not there.
    """
    growing: list[tuple[object, ...]] = []
    shrinking: list[tuple[object, ...]] = []
    for key, quantity, count in deltas:
        # PostgreSQL checks a row that is to be inserted before it sees that there is one already.
        (shrinking if quantity < 0 or count < 0 else growing).append((*key, quantity, count))
    if growing:
        await connection.execute(_GROW, *_columns(growing))
    if shrinking:
        changed = await connection.execute(_SHRINK, *_columns(shrinking))
        if changed != f"UPDATE {len(shrinking)}":
            raise RuntimeError("rollups lack what is to be taken away; run 'farebox usage rebuild'")
        columns = _columns(shrinking)
        await connection.execute(_SWEEP, list(set(columns[0])), list(set(columns[1])))
    if growing or shrinking:
        await add_to_days(connection, [*growing, *shrinking])


def _columns(rows: list[tuple[object, ...]]) -> list[list[object]]:
    return [list(column) for column in zip(*rows, strict=True)]
