"""Void or amend an event: what it counted is subtracted, what it should have counted is added.

The last correction of an event applies. One that comes before its event (which may still be in the
queue) waits for it. Everything is kept: the data before and after, who corrected it, and why.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Literal

import asyncpg
import msgspec

from backend.accounts.errors import TenantNotFound
from backend.metering.counting.deltas import RollupDeltas, apply_deltas, declared_labels
from backend.metering.counting.derived import Meters, declared_meters
from backend.metering.counting.locks import own_tenant
from backend.metering.counting.rebuild import repair_day
from backend.metering.counting.stored import EVENT, event_of, json_text
from backend.metering.errors import AmbiguousEvent, CorrectionIdReused
from backend.metering.events import SENDERS, AcceptedEvent, Identity, Sender

State = Literal["applied", "pending", "repeated"]

PENDING = """
SELECT EXISTS (SELECT 1 FROM corrections
               WHERE applied_at IS NULL AND tenant_id = ANY($1::text[]))
"""
_PENDING_OF = """
SELECT fresh.tenant_id, fresh.sender, fresh.source, fresh.event_id, corrections.id, data::text
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[])
     AS fresh (tenant_id, sender, source, event_id)
JOIN corrections
  ON (corrections.tenant_id, corrections.event_source, corrections.event_id)
   = (fresh.tenant_id, fresh.source, fresh.event_id)
 AND coalesce(corrections.event_sender, fresh.sender) = fresh.sender
WHERE applied_at IS NULL
ORDER BY fresh.tenant_id, sequence, fresh.sender
"""
_KNOWN = """
SELECT action, event_sender, event_source, event_id, data::text
FROM corrections WHERE tenant_id = $1 AND id = $2
"""
_EVENTS = f"""
{EVENT} WHERE (tenant_id, source, id) = ($1, $2, $3) AND sender = ANY($4::text[])
ORDER BY sender FOR UPDATE
"""
_RECORD = """
INSERT INTO corrections (tenant_id, id, event_source, event_id, action, data, reason, actor,
                         received_at, event_sender)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
"""
_APPLIED = """
UPDATE corrections SET applied_at = now(), before = $3, after = $4, event_sender = $5
WHERE tenant_id = $1 AND id = $2
"""
_CHANGE_EVENT = """
UPDATE events
SET application_id = $4, key_id = $5, model = $6, quantities = $7, labels = $8, counted = $9,
    voided = $10, upstream = $12, corrected_at = now()
WHERE (tenant_id, source, id, sender) = ($1, $2, $3, $11)
"""
# The days of these events, whose rollups may be by other labels than are declared now.
_STALE_DAYS = """
SELECT DISTINCT date_trunc('day', events.time, 'UTC')
FROM events JOIN usage_versions USING (tenant_id)
WHERE events.tenant_id = $1 AND received_at <= labels_changed_at
  AND sender = ANY($4::text[])
  AND (source, id) IN (SELECT * FROM unnest($2::text[], $3::text[]))
"""
_VERSION = """
INSERT INTO usage_versions (tenant_id, version, last_event_at) VALUES ($1, 1, now())
ON CONFLICT (tenant_id) DO UPDATE SET version = usage_versions.version + 1
"""


class Amended(msgspec.Struct, frozen=True, kw_only=True):
    """All of an event's data as it should have been. Its time and identity stay.

    So does its upstream where none is given: who amends an event need not know who served it.
    """

    application_id: str
    model: str
    quantities: dict[str, Decimal]
    key_id: str = ""
    upstream: str | None = None
    labels: dict[str, str] = {}
    counted: dict[str, Decimal] | None = None

    def applied_to(self, event: AcceptedEvent) -> AcceptedEvent:
        """Return the event with this data."""
        data = msgspec.structs.asdict(self)
        if self.upstream is None:
            del data["upstream"]
        return msgspec.structs.replace(event, **data)


@dataclass(frozen=True, slots=True)
class CorrectionWanted:
    """A requested correction. ``data`` is None if the event is voided."""

    id: str
    event_source: str
    event_id: str
    data: Amended | None
    reason: str
    actor: str
    event_sender: Sender | None = None
    """None: of whichever sender there is an event with that source and id."""

    @property
    def action(self) -> Literal["void", "amend"]:
        """What is done to the event."""
        return "void" if self.data is None else "amend"


async def correct(
    connection: asyncpg.Connection,
    tenant_id: str,
    corrections: Sequence[CorrectionWanted],
    now: datetime,
) -> tuple[list[State], RollupDeltas]:
    """Apply corrections in the caller's transaction; return each one's state, and the change.

    A correction with a used id is ``repeated`` and changes nothing. Raises ``Conflict`` if the id
    was used for another correction, or several senders have such an event and none is named;
    ``NotFound`` if there is no such tenant.
    """
    if not await own_tenant(connection, tenant_id):
        raise TenantNotFound()
    sources, ids = (
        [correction.event_source for correction in corrections],
        [correction.event_id for correction in corrections],
    )
    for (day,) in await connection.fetch(_STALE_DAYS, tenant_id, sources, ids, SENDERS):
        await repair_day(connection, tenant_id, day)
    meters = await declared_meters(connection)
    deltas = RollupDeltas(await declared_labels(connection, [tenant_id]), meters)
    states = [
        await _correct(connection, tenant_id, correction, now, deltas, meters)
        for correction in corrections
    ]
    await apply_deltas(connection, deltas)
    if "applied" in states:
        await connection.execute(_VERSION, tenant_id)
    return states, deltas


async def apply_pending(
    connection: asyncpg.Connection,
    fresh: Mapping[Identity, AcceptedEvent],
    deltas: RollupDeltas,
    meters: Meters,
    *,
    voided: Collection[Identity] = (),
) -> None:
    """Apply the corrections that waited for events which were just inserted.

    ``voided`` are those of the events that count for nothing already.
    """
    columns = list(zip(*fresh, strict=True))
    applied: set[str] = set()
    voided = set(voided)
    current = dict(fresh)
    for row in await connection.fetch(_PENDING_OF, *columns):
        if row["id"] in applied:
            continue  # to the event of another sender, which came with this one
        applied.add(row["id"])
        identity = (row["tenant_id"], row["sender"], row["source"], row["event_id"])
        data = None if row["data"] is None else _amended.decode(row["data"])
        after = await _apply(
            connection, row["id"], current[identity], identity in voided, data, deltas, meters
        )
        if after is None:
            voided.add(identity)
        else:
            voided.discard(identity)
            current[identity] = after


async def _correct(
    connection: asyncpg.Connection,
    tenant_id: str,
    wanted: CorrectionWanted,
    now: datetime,
    deltas: RollupDeltas,
    meters: Meters,
) -> State:
    data = None if wanted.data is None else json_text(wanted.data)
    recorded = await connection.fetchrow(_KNOWN, tenant_id, wanted.id)
    if recorded is not None:
        same = (
            (recorded["action"], recorded["event_source"], recorded["event_id"])
            == (wanted.action, wanted.event_source, wanted.event_id)
            and wanted.event_sender in (None, recorded["event_sender"])
            and _read(recorded["data"]) == _read(data)
        )
        if not same:
            raise CorrectionIdReused(f"The id {wanted.id!r} was used for another correction.")
        return "repeated"
    # Named even where any will do: the primary key has the sender before the source
    senders = list(SENDERS) if wanted.event_sender is None else [wanted.event_sender]
    rows = await connection.fetch(_EVENTS, tenant_id, wanted.event_source, wanted.event_id, senders)
    if len(rows) > 1:
        named = " and the ".join(row["sender"] for row in rows)
        raise AmbiguousEvent(
            f"{wanted.event_source!r} has an event {wanted.event_id!r} by the {named}: name the "
            "sender."
        )
    await connection.execute(
        _RECORD,
        tenant_id,
        wanted.id,
        wanted.event_source,
        wanted.event_id,
        wanted.action,
        data,
        wanted.reason,
        wanted.actor,
        now,
        wanted.event_sender,
    )
    if not rows:
        return "pending"
    [row] = rows
    await _apply(connection, wanted.id, event_of(row), row["voided"], _read(data), deltas, meters)
    return "applied"


async def _apply(
    connection: asyncpg.Connection,
    correction_id: str,
    before: AcceptedEvent,
    was_voided: bool,
    data: Amended | None,
    deltas: RollupDeltas,
    meters: Meters,
) -> AcceptedEvent | None:
    """Change an event to what it should be; return it, None if it is void."""
    after = before if data is None else meters.with_derived(data.applied_to(before))
    if not was_voided:
        deltas.subtract(before)
    if data is not None:
        deltas.add(after)
    await connection.execute(
        _CHANGE_EVENT,
        before.tenant_id,
        before.source,
        before.id,
        after.application_id,
        after.key_id,
        after.model,
        json_text(after.quantities),
        json_text(after.labels),
        None if after.counted is None else json_text(after.counted),
        data is None,
        before.sender,
        after.upstream,
    )
    await connection.execute(
        _APPLIED,
        before.tenant_id,
        correction_id,
        None if was_voided else json_text(_data_of(before)),
        None if data is None else json_text(_data_of(after)),
        before.sender,
    )
    return None if data is None else after


_amended = msgspec.json.Decoder(Amended)


def _read(data: str | None) -> Amended | None:
    return None if data is None else _amended.decode(data)


def _data_of(event: AcceptedEvent) -> Amended:
    return Amended(
        application_id=event.application_id,
        key_id=event.key_id,
        model=event.model,
        upstream=event.upstream,
        quantities=event.quantities,
        labels=event.labels,
        counted=event.counted,
    )
