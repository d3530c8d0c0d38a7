"""Count events: insert the new ones and add them to the rollups, in one transaction.

"Exactly once" rests on this file. The events' primary key decides what is new; rollups grow by what
is new and nothing else, in the transaction that inserts it. Whatever is repeated, reordered or
killed, an event is in both or in neither.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import asyncpg

from backend.metering.counting.corrections import PENDING, apply_pending
from backend.metering.counting.deltas import RollupDeltas, apply_deltas, declared_labels
from backend.metering.counting.derived import declared_meters
from backend.metering.counting.locks import share_tenants
from backend.metering.counting.stored import json_text
from backend.metering.events import AcceptedEvent, Identity

_COLUMNS = (
    "place",
    "tenant_id",
    "sender",
    "source",
    "id",
    "time",
    "received_at",
    "application_id",
    "key_id",
    "model",
    "upstream",
    "quantities",
    "labels",
    "counted",
)

MAKE_INCOMING = """
CREATE TEMPORARY TABLE IF NOT EXISTS incoming (
  place integer, tenant_id text, sender text, source text, id text, time timestamptz,
  received_at timestamptz, application_id text, key_id text, model text, upstream text,
  quantities jsonb, labels jsonb, counted jsonb
) ON COMMIT DELETE ROWS
"""

# Returns the known events, since those are few or none, and searches only if there are any.
_INSERT = """
WITH fresh AS (
  INSERT INTO events (tenant_id, sender, source, id, time, received_at, application_id, key_id,
                      model, upstream, quantities, labels, counted)
  SELECT tenant_id, sender, source, id, time, received_at, application_id, key_id, model,
         upstream, quantities, labels, counted
  FROM incoming
  ON CONFLICT (tenant_id, sender, source, id) DO NOTHING
  RETURNING tenant_id, sender, source, id
)
SELECT place FROM incoming
WHERE (SELECT count(*) FROM fresh) < $1 AND NOT EXISTS (
  SELECT FROM fresh
  WHERE (fresh.tenant_id, fresh.sender, fresh.source, fresh.id)
      = (incoming.tenant_id, incoming.sender, incoming.source, incoming.id)
)
"""

_VERSIONS = """
INSERT INTO usage_versions (tenant_id, version, last_event_at)
SELECT tenant_id, 1, last_event_at
FROM unnest($1::text[], $2::timestamptz[]) AS changed (tenant_id, last_event_at)
ON CONFLICT (tenant_id) DO UPDATE
SET version = usage_versions.version + 1,
    last_event_at = greatest(usage_versions.last_event_at, excluded.last_event_at)
"""

_TOTALS = """
INSERT INTO counted_totals (slot, new, known) VALUES ($1, $2, $3)
ON CONFLICT (slot) DO UPDATE
SET new = counted_totals.new + excluded.new, known = counted_totals.known + excluded.known
"""
_SLOTS = 16


@dataclass(frozen=True, slots=True)
class Counted:
    """How many events of a batch were new, and how many had been counted before."""

    new: int
    duplicates: int


async def count_events(connection: asyncpg.Connection, events: Sequence[AcceptedEvent]) -> Counted:
    """Insert and roll up ``events``; safe to repeat. Raises asyncpg's errors, changing nothing."""
    if not events:
        return Counted(0, 0)
    await connection.execute(MAKE_INCOMING)
    async with connection.transaction():
        fresh, _ = await insert_and_roll_up(connection, events)
        counted = Counted(new=fresh, duplicates=len(events) - fresh)
        # Last, so that workers which share the slot wait for the commit alone
        await connection.execute(_TOTALS, os.getpid() % _SLOTS, counted.new, counted.duplicates)
    return counted


async def changes_by(
    connection: asyncpg.Connection, events: Sequence[AcceptedEvent]
) -> RollupDeltas:
    """Count events in the caller's transaction; return what it adds to the rollups."""
    await connection.execute(MAKE_INCOMING)
    _, deltas = await insert_and_roll_up(connection, events)
    return deltas


async def insert_and_roll_up(
    connection: asyncpg.Connection, events: Sequence[AcceptedEvent]
) -> tuple[int, RollupDeltas]:
    """Do what ``count_events`` does in the caller's transaction; return how many were new."""
    # A tenant that was removed has no events any more.
    tenants = await share_tenants(connection, {event.tenant_id for event in events})
    meters = await declared_meters(connection)
    once = _in_order(meters.with_derived(event) for event in events if event.tenant_id in tenants)
    await connection.copy_records_to_table(
        "incoming",
        columns=_COLUMNS,
        records=[_record(place, event) for place, event in enumerate(once)],
    )
    counted_places = {place for (place,) in await connection.fetch(_INSERT, len(once))}
    fresh = (
        [event for place, event in enumerate(once) if place not in counted_places]
        if counted_places
        else once
    )
    deltas = RollupDeltas(await declared_labels(connection, tenants), meters)
    if not fresh:
        return 0, deltas
    latest: dict[str, datetime] = {}
    for event in fresh:
        deltas.add(event)
        newest = latest.get(event.tenant_id)
        if newest is None or event.received_at > newest:
            latest[event.tenant_id] = event.received_at
    if await connection.fetchval(PENDING, list(tenants)):
        by_identity = {event.identity: event for event in fresh}
        await apply_pending(connection, by_identity, deltas, meters)
    await apply_deltas(connection, deltas)
    await connection.execute(
        _VERSIONS, sorted(latest), [latest[tenant_id] for tenant_id in sorted(latest)]
    )
    return len(fresh), deltas


def _in_order(events: Iterable[AcceptedEvent]) -> list[AcceptedEvent]:
    """Return each identity once, as received first, in the order of the primary key.

    Every statement walks its rows in the order of a unique index, so that two workers that meet
    on the same rows wait for each other and never deadlock.
    """
    once: dict[Identity, AcceptedEvent] = {}
    for event in events:
        identity = event.identity
        earlier = once.get(identity)
        if earlier is None or event.received_at < earlier.received_at:
            once[identity] = event
    return [once[identity] for identity in sorted(once)]


def _record(place: int, event: AcceptedEvent) -> tuple[object, ...]:
    return (
        place,
        event.tenant_id,
        event.sender,
        event.source,
        event.id,
        event.time,
        event.received_at,
        event.application_id,
        event.key_id,
        event.model,
        event.upstream,
        json_text(event.quantities),
        json_text(event.labels) if event.labels else "{}",
        None if event.counted is None else json_text(event.counted),
    )
