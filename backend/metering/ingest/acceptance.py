"""Check sent events: accept the good ones, report the others with field and reason."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TypeAlias

import msgspec
import structlog
from sqlalchemy import Text, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY

from backend.accounts.principal import Principal
from backend.metering.errors import IngestClosed
from backend.metering.events import AcceptedEvent, Identity, Sender
from backend.metering.ingest.directory import Directory
from backend.metering.ingest.parsing import Refusal, SentEvent
from backend.metering.ingest.stream import UsageStream
from backend.settings import Settings
from backend.storage.database import Database
from backend.storage.outages import is_outage
from backend_client.types.events import IngestResult, RejectedEvent

_log = structlog.get_logger(__name__)

_LOOK_UP_SECONDS = 2.0
_RESERVED = "farebox:"
_Content: TypeAlias = tuple[str, str, str, dict[str, Decimal], dict[str, str]]
"""Application, key, model, quantities and labels."""
_quantities = msgspec.json.Decoder(dict[str, Decimal])
_labels = msgspec.json.Decoder(dict[str, str])

# Ids have no control characters, so one separates them: a few long texts are faster to send than an
# array of many. OFFSET makes PostgreSQL look each id up in the index, also if the plan was made
# while the table was empty and a join of all of it looked cheap.
_KNOWN = text(
    """
    SELECT sent.tenant_id, sent.source, one.id, known.*
    FROM unnest(:tenants, :sources, :ids) AS sent (tenant_id, source, ids)
    CROSS JOIN LATERAL unnest(string_to_array(sent.ids, chr(31))) AS one (id)
    CROSS JOIN LATERAL (
      SELECT application_id, key_id, model, quantities::text AS quantities,
             labels::text AS labels, corrected_at
      FROM events
      WHERE events.tenant_id = sent.tenant_id AND events.sender = :sender
        AND events.source = sent.source AND events.id = one.id
      OFFSET 0
    ) AS known
    """
).bindparams(*(bindparam(name, type_=ARRAY(Text)) for name in ("tenants", "sources", "ids")))


@dataclass(slots=True)
class Batch:
    """The verdict on a request, before its good members are published."""

    received: int
    accepted: list[AcceptedEvent] = field(default_factory=list)
    duplicates: int = 0
    conflicts: int = 0
    rejected: list[RejectedEvent] = field(default_factory=list)

    def result(self) -> IngestResult:
        """Return the verdict as the API's type."""
        return IngestResult(
            received=self.received,
            accepted=len(self.accepted),
            duplicates=self.duplicates,
            conflicts=self.conflicts,
            rejected=len(self.rejected),
            errors=self.rejected,
        )


class Ingest:
    """Accepts events. One a process."""

    def __init__(self, settings: Settings, database: Database, stream: UsageStream) -> None:
        self._settings = settings
        self._database = database
        self._stream = stream
        self._directory = Directory(database)

    async def accept(
        self, caller: Principal, members: Sequence[SentEvent | Refusal]
    ) -> IngestResult:
        """Publish the good members, and return the verdict on all.

        Raises ``IngestClosed`` where the operator has switched off what the tenant itself sends.
        Returns once the queue has stored every accepted one. Raises ``Unavailable`` or
        ``RateLimited`` if it could not; all may then be sent again.
        """
        batch = await self.check(caller, members, datetime.now(UTC))
        await self._stream.publish(batch.accepted)
        return batch.result()

    async def check(
        self, caller: Principal, members: Sequence[SentEvent | Refusal], now: datetime
    ) -> Batch:
        """Sort ``members`` into accepted, duplicate and rejected. Nothing is stored yet.

        Duplicates are looked up for the sender's information; the worker's insert is what makes an
        event count once. One whose content differs from what is stored is a conflict besides.
        """
        batch = Batch(received=len(members))
        good = await self._accept(caller, members, now, batch)
        seen = await self._stored(good)
        for event in good:
            content = _content(event)
            if event.identity in seen:
                batch.duplicates += 1
                stored = seen[event.identity]
                batch.conflicts += stored is not None and stored != content
            else:
                seen[event.identity] = content
                batch.accepted.append(event)
        return batch

    async def _accept(
        self,
        caller: Principal,
        members: Sequence[SentEvent | Refusal],
        now: datetime,
        batch: Batch,
    ) -> list[AcceptedEvent]:
        owners = await self._owners(caller, members)
        archived = self._directory.archived_until(owners.values())
        places = {
            (owners[member.subject], member.data.application)
            for member in members
            if isinstance(member, SentEvent) and member.subject in owners
        }
        applications = await self._directory.applications(places)
        keys = await self._directory.keys(
            {
                (owners[member.subject], member.data.key)
                for member in members
                if isinstance(member, SentEvent) and member.subject in owners and member.data.key
            }
        )
        sender: Sender = "tenant" if caller.tenant_id else "operator"
        earliest = now - timedelta(days=self._settings.event_max_age_days)
        latest = now + timedelta(seconds=self._settings.event_max_future_seconds)
        good: list[AcceptedEvent] = []
        for index, member in enumerate(members):
            if isinstance(member, SentEvent):
                tenant_id = owners.get(member.subject)
                data = member.data
                time = now if member.time is None else member.time.astimezone(UTC)
                if tenant_id is None:
                    # The same sentence whether the tenant does not exist or is another's.
                    refusal = _refuse(
                        member, "subject", "names no tenant that this credential may write for"
                    )
                elif (tenant_id, data.application) not in applications:
                    refusal = _refuse(
                        member, "data.application", "the tenant has no such application"
                    )
                elif data.key and (tenant_id, data.key) not in keys:
                    refusal = _refuse(member, "data.key", "the tenant has no such key")
                elif member.source.lower().startswith(_RESERVED):
                    refusal = _refuse(member, "source", f"{_RESERVED} is reserved for Farebox")
                elif caller.application_id not in (None, data.application):
                    refusal = _refuse(
                        member, "data.application", "the key belongs to another application"
                    )
                elif time > latest:
                    seconds = self._settings.event_max_future_seconds
                    refusal = _refuse(member, "time", f"is more than {seconds} s in the future")
                elif time < earliest:
                    days = self._settings.event_max_age_days
                    refusal = _refuse(member, "time", f"is more than {days} days ago")
                elif tenant_id in archived and time < archived[tenant_id]:
                    # It can't be known whether it was counted already
                    day = f"{archived[tenant_id].astimezone(UTC):%Y-%m-%d}"
                    refusal = _refuse(member, "time", f"is before {day}: events were archived")
                else:
                    good.append(_accepted(member, tenant_id, sender, time, now))
                    continue
            else:
                refusal = member
            batch.rejected.append(
                RejectedEvent(
                    index=index, id=refusal.event_id, field=refusal.field, detail=refusal.detail
                )
            )
        return good

    async def _owners(
        self, caller: Principal, members: Sequence[SentEvent | Refusal]
    ) -> dict[str | None, str]:
        """Return the tenant that each subject names, where the caller may write for it."""
        subjects = {member.subject for member in members if isinstance(member, SentEvent)}
        wanted = {subject for subject in (*subjects, caller.tenant_id) if subject}
        named = await self._directory.tenants(wanted)
        owners: dict[str | None, str] = {
            subject: tenant_id
            for subject, tenant_id in named.items()
            if caller.tenant_id in {"", tenant_id}  # an operator's key acts for no single tenant
        }
        if caller.tenant_id:
            owners[None] = caller.tenant_id
            if not self._directory.takes_events_of(caller.tenant_id):
                raise IngestClosed()
        return owners

    async def _stored(self, events: Sequence[AcceptedEvent]) -> dict[Identity, _Content | None]:
        """Return what is counted already, by identity; None where it was corrected since.

        All events are one sender's.
        """
        ids: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
        for event in events:
            ids[event.tenant_id, event.source].append(event.id)
        if not ids:
            return {}
        sender = events[0].sender
        try:
            async with (
                asyncio.timeout(_LOOK_UP_SECONDS),
                self._database.autocommit() as connection,
            ):
                rows = await connection.execute(
                    _KNOWN,
                    {
                        "sender": sender,
                        "tenants": [tenant_id for tenant_id, _ in ids],
                        "sources": [source for _, source in ids],
                        "ids": ["\x1f".join(sent) for sent in ids.values()],
                    },
                )
                return {
                    (tenant_id, sender, source, event_id): _stored_content(*stored)
                    for tenant_id, source, event_id, *stored in rows
                }
        except Exception as error:
            # What makes an event count once is the worker's insert; this is only for the sender's
            # information
            if not is_outage(error):
                raise
            _log.warning("ingest.duplicates_not_looked_up", error=type(error).__name__)
            return {}


def _content(event: AcceptedEvent) -> _Content:
    return (event.application_id, event.key_id, event.model, event.quantities, event.labels)


def _stored_content(
    application_id: str,
    key_id: str,
    model: str,
    quantities: str,
    labels: str,
    corrected_at: datetime | None,
) -> _Content | None:
    if corrected_at is not None:
        return None
    return (application_id, key_id, model, _quantities.decode(quantities), _labels.decode(labels))


def _refuse(event: SentEvent, field_name: str, detail: str) -> Refusal:
    return Refusal(event.id, field_name, detail)


def _accepted(
    event: SentEvent, tenant_id: str, sender: Sender, time: datetime, now: datetime
) -> AcceptedEvent:
    data = event.data
    return AcceptedEvent(
        tenant_id=tenant_id,
        sender=sender,
        source=event.source,
        id=event.id,
        time=time,
        received_at=now,
        application_id=data.application,
        key_id=data.key or "",
        model=data.model,
        quantities=data.quantities,
        labels=data.labels,
        counted=data.counted,
    )
