"""What events and their corrections add to the rollups, summed exactly before it is written."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal

import asyncpg
import msgspec

from backend.metering.counting.daily import add_to_days, columns_of
from backend.metering.counting.derived import NO_METERS, Meters
from backend.metering.counting.values import ValueDeltas
from backend.metering.errors import RollupsIncomplete
from backend.metering.events import BUCKET, AcceptedEvent
from backend.pricing.money import EXACT

RollupKey = tuple[str, datetime, str, str, str, str, str, str]
"""Tenant, bucket, application, key, model, upstream, meter, and the declared labels as sorted JSON.
"""

_SeriesKey = tuple[str, int, str, str, str, str, str]
"""Tenant, quarter hours since 1970, application, key, model, upstream, labels: a rollup's key
without its meter."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_DECLARED = "SELECT tenant_id, label FROM declared_labels WHERE tenant_id = ANY($1::text[])"

_GROW = """
INSERT INTO rollups (tenant_id, bucket, application_id, key_id, model, upstream, meter, labels,
                     quantity, event_count)
SELECT * FROM unnest($1::text[], $2::timestamptz[], $3::text[], $4::text[], $5::text[],
                     $6::text[], $7::text[], $8::jsonb[], $9::numeric[], $10::bigint[])
ON CONFLICT (tenant_id, bucket, application_id, key_id, model, upstream, meter, labels) DO UPDATE
SET quantity = rollups.quantity + excluded.quantity,
    event_count = rollups.event_count + excluded.event_count
"""

_SHRINK = """
UPDATE rollups
SET quantity = rollups.quantity + change.quantity,
    event_count = rollups.event_count + change.event_count
FROM unnest($1::text[], $2::timestamptz[], $3::text[], $4::text[], $5::text[], $6::text[],
            $7::text[], $8::jsonb[], $9::numeric[], $10::bigint[])
  AS change (tenant_id, bucket, application_id, key_id, model, upstream, meter, labels, quantity,
             event_count)
WHERE (rollups.tenant_id, rollups.bucket, rollups.application_id, rollups.key_id, rollups.model,
       rollups.upstream, rollups.meter, rollups.labels)
    = (change.tenant_id, change.bucket, change.application_id, change.key_id, change.model,
       change.upstream, change.meter, change.labels)
"""

_SWEEP = """
DELETE FROM rollups
WHERE tenant_id = ANY($1::text[]) AND bucket = ANY($2::timestamptz[]) AND event_count = 0
"""


class RollupDeltas:
    """Changes by rollup. ``labels`` are those that each tenant declared.

    ``values`` are the changes of the ``meters`` that are not summed. Most events of a batch share
    all of a rollup's key but the meter, so sums are kept by that part of it, with the quarter hour
    as a number: thousands of batches are added a second.
    """

    def __init__(self, labels: Mapping[str, Collection[str]], meters: Meters = NO_METERS) -> None:
        self._labels = labels
        self._valued = meters.valued
        self.values = ValueDeltas()
        self._series: dict[_SeriesKey, dict[str, tuple[Decimal, int]]] = {}

    def __iter__(self) -> Iterator[tuple[RollupKey, Decimal, int]]:
        """Yield each rollup's change of quantity and of event count, in the order of their key."""
        changes = [
            (
                (tenant_id, _bucket(quarter), application, key, model, upstream, meter, labels),
                *change,
            )
            for (tenant_id, quarter, application, key, model, upstream, labels), by_meter in (
                self._series.items()
            )
            for meter, change in by_meter.items()
            if change[0] or change[1]
        ]
        return iter(sorted(changes))

    def add(self, event: AcceptedEvent) -> None:
        """Add an event's quantities."""
        by_meter = self._by_meter(event)
        summed = self._summed(event, 1) if self._valued else event.quantities
        for meter, quantity in summed.items():
            sum_so_far = by_meter.get(meter)
            if sum_so_far is None:
                by_meter[meter] = (quantity, 1)
            else:
                by_meter[meter] = (EXACT.add(sum_so_far[0], quantity), sum_so_far[1] + 1)

    def subtract(self, event: AcceptedEvent) -> None:
        """Subtract an event's quantities."""
        by_meter = self._by_meter(event)
        summed = self._summed(event, -1) if self._valued else event.quantities
        for meter, quantity in summed.items():
            sum_so_far = by_meter.get(meter, (Decimal(0), 0))
            by_meter[meter] = (EXACT.subtract(sum_so_far[0], quantity), sum_so_far[1] - 1)

    def _summed(self, event: AcceptedEvent, change: int) -> Mapping[str, Decimal]:
        """Count the values of meters that are not summed; return the other quantities."""
        quantities = event.quantities
        if self._valued.keys().isdisjoint(quantities):
            return quantities
        for meter, quantity in quantities.items():
            if meter in self._valued:
                self.values.count(event, self._valued[meter], quantity, change)
        return {meter: quantities[meter] for meter in quantities if meter not in self._valued}

    def _by_meter(self, event: AcceptedEvent) -> dict[str, tuple[Decimal, int]]:
        key = (
            event.tenant_id,
            (event.time - _EPOCH) // BUCKET,
            event.application_id,
            event.key_id,
            event.model,
            event.upstream,
            self._rollup_labels(event) if event.labels else "{}",
        )
        by_meter = self._series.get(key)
        if by_meter is None:
            by_meter = self._series[key] = {}
        return by_meter

    def _rollup_labels(self, event: AcceptedEvent) -> str:
        declared = self._labels.get(event.tenant_id)
        if not declared:
            return "{}"
        kept = {name: event.labels[name] for name in declared if name in event.labels}
        return msgspec.json.encode(kept, order="sorted").decode()


def _bucket(quarter: int) -> datetime:
    return _EPOCH + quarter * BUCKET


async def declared_labels(
    connection: asyncpg.Connection, tenant_ids: Iterable[str]
) -> dict[str, set[str]]:
    """Return the labels that are part of the rollups' key, by tenant."""
    labels: dict[str, set[str]] = {}
    for tenant_id, label in await connection.fetch(_DECLARED, list(tenant_ids)):
        labels.setdefault(tenant_id, set()).add(label)
    return labels


async def apply_deltas(connection: asyncpg.Connection, deltas: RollupDeltas) -> None:
    """Write the changes to the rollups, in the caller's transaction.

    Raises ``Conflict`` if more is to be subtracted than the rollups have.
    """
    growing: list[tuple[object, ...]] = []
    shrinking: list[tuple[object, ...]] = []
    for key, quantity, count in deltas:
        # PostgreSQL checks a row that is to be inserted before it sees that there is one already.
        (shrinking if quantity < 0 or count < 0 else growing).append((*key, quantity, count))
    if growing:
        await connection.execute(_GROW, *columns_of(growing))
    if shrinking:
        try:
            changed = await connection.execute(_SHRINK, *columns_of(shrinking))
        except asyncpg.CheckViolationError as error:
            raise RollupsIncomplete() from error
        if changed != f"UPDATE {len(shrinking)}":
            raise RollupsIncomplete()
        columns = columns_of(shrinking)
        await connection.execute(_SWEEP, list(set(columns[0])), list(set(columns[1])))
    if growing or shrinking:
        await add_to_days(connection, [*growing, *shrinking])
    await deltas.values.apply(connection)
