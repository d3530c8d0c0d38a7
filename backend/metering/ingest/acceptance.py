"""Check sent events: accept the good ones, report the others with field and reason."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from backend.accounts.principal import Principal
from backend.errors import FareboxError
from backend.metering.errors import IngestClosed
from backend.metering.events import AcceptedEvent, Sender
from backend.metering.ingest.directory import Directory
from backend.metering.ingest.duplicates import content_of, stored_contents
from backend.metering.ingest.plain_events import SentEvent
from backend.metering.ingest.stream import UsageStream
from backend.metering.refusals.refusal import Refusal
from backend.metering.refusals.tally import RefusalTally
from backend.settings import Settings
from backend.storage.database import Database
from backend_client.types.events import IngestResult, RejectedEvent

_RESERVED = "farebox:"
# The same sentence whether the tenant does not exist or is another's
_NOBODYS = ("subject", "names no tenant that this credential may write for")


@dataclass(frozen=True, slots=True)
class Refused:
    """A refused member: its place in the request, and whose it is if that is known."""

    index: int
    tenant_id: str | None
    refusal: Refusal


@dataclass(slots=True)
class Batch:
    """The verdict on a request, before its good members are published."""

    received: int
    accepted: list[AcceptedEvent] = field(default_factory=list)
    duplicates: int = 0
    conflicts: int = 0
    refused: list[Refused] = field(default_factory=list)

    @property
    def rejected(self) -> list[RejectedEvent]:
        """The refused members as the API's type."""
        return [
            RejectedEvent(
                index=member.index,
                id=member.refusal.event_id,
                field=member.refusal.field,
                detail=member.refusal.detail,
            )
            for member in self.refused
        ]

    def result(self) -> IngestResult:
        """Return the verdict as the API's type."""
        return IngestResult(
            received=self.received,
            accepted=len(self.accepted),
            duplicates=self.duplicates,
            conflicts=self.conflicts,
            rejected=len(self.refused),
            errors=self.rejected,
        )


@dataclass(frozen=True, slots=True)
class _Allowed:
    """What a batch is checked against: whose it may be, what there is, and when now is."""

    owners: Mapping[str | None, str]
    applications: Collection[tuple[str, str]]
    keys: Collection[tuple[str, str]]
    archived: Mapping[str, datetime]
    now: datetime
    clocks: Mapping[str, datetime]

    def now_of(self, tenant_id: str | None) -> datetime:
        """The instant that it is for a tenant."""
        return self.now if tenant_id is None else self.clocks.get(tenant_id, self.now)


class Ingest:
    """Accepts events, and tallies those that are refused. One a process."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        stream: UsageStream,
        tally: RefusalTally,
    ) -> None:
        self._settings = settings
        self._database = database
        self._stream = stream
        self._tally = tally
        self._directory = Directory(database)

    async def accept(
        self, caller: Principal, members: Sequence[SentEvent | Refusal]
    ) -> IngestResult:
        """Publish the good members, and return the verdict on all.

        Raises ``IngestClosed`` where the operator has switched off what the tenant itself sends.
        Returns once the queue has stored every accepted one. Raises ``Unavailable`` or
        ``RateLimited`` if it could not; all may then be sent again.
        """
        now = datetime.now(UTC)
        try:
            batch = await self.check(caller, members, now)
        except IngestClosed as closed:
            self.note_refused_request(caller, closed, len(members))
            raise
        await self._stream.publish(batch.accepted)
        # Last, because what was not published is sent again, refused members and all
        refused = ((member.tenant_id, member.refusal) for member in batch.refused)
        self._tally.note_all(refused, _sender(caller), caller.id, now)
        return batch.result()

    def note_refused_request(self, caller: Principal, error: FareboxError, events: int = 1) -> None:
        """Tally a request that was refused whole, of so many events as far as that is known."""
        refusal = Refusal(None, None, error.detail or error.title)
        tenant_id = caller.tenant_id or None
        now = datetime.now(UTC)
        self._tally.note(tenant_id, _sender(caller), caller.id, refusal, now, events)

    async def check(
        self, caller: Principal, members: Sequence[SentEvent | Refusal], now: datetime
    ) -> Batch:
        """Sort ``members`` into accepted, duplicate and rejected. Nothing is stored yet.

        Duplicates are looked up for the sender's information; the worker's insert is what makes an
        event count once. One whose content differs from what is stored is a conflict besides.
        """
        batch = Batch(received=len(members))
        good = await self._accept(caller, members, now, batch)
        seen = await stored_contents(self._database, good)
        for event in good:
            content = content_of(event)
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
        allowed = await self._allowed(caller, members, now)
        sender = _sender(caller)
        good: list[AcceptedEvent] = []
        for index, member in enumerate(members):
            tenant_id = allowed.owners.get(member.subject)
            if isinstance(member, Refusal):
                refusal = member
            else:
                time = member.time or allowed.now_of(tenant_id)
                time = time.astimezone(UTC)
                wrong = self._wrong(caller, member, tenant_id, time, allowed)
                if wrong is None and tenant_id is not None:
                    good.append(_accepted(member, tenant_id, sender, time, now))
                    continue
                refusal = Refusal(member.id, *(wrong or _NOBODYS), member.source, member.subject)
            batch.refused.append(Refused(index, caller.tenant_id or tenant_id, refusal))
        return good

    async def _allowed(
        self, caller: Principal, members: Sequence[SentEvent | Refusal], now: datetime
    ) -> _Allowed:
        owners = await self._owners(caller, members)
        events = [
            (owners[member.subject], member.data)
            for member in members
            if isinstance(member, SentEvent) and member.subject in owners
        ]
        places = {(tenant_id, data.application) for tenant_id, data in events}
        keys = {(tenant_id, data.key) for tenant_id, data in events if data.key}
        return _Allowed(
            owners=owners,
            applications=await self._directory.applications(places),
            keys=await self._directory.keys(keys),
            archived=self._directory.archived_until(owners.values()),
            now=now,
            clocks=await self._directory.clocks(owners.values()),
        )

    def _wrong(
        self,
        caller: Principal,
        member: SentEvent,
        tenant_id: str | None,
        time: datetime,
        allowed: _Allowed,
    ) -> tuple[str, str] | None:
        """Return the field that can't be taken, and why; None if all can."""
        data = member.data
        if tenant_id is None:
            return _NOBODYS
        if (tenant_id, data.application) not in allowed.applications:
            return "data.application", "the tenant has no such application"
        if data.key and (tenant_id, data.key) not in allowed.keys:
            return "data.key", "the tenant has no such key"
        if member.source.lower().startswith(_RESERVED):
            return "source", f"{_RESERVED} is reserved for Farebox"
        if data.upstream and caller.tenant_id:
            return "data.upstream", "is the seller's to name; leave it out"
        if caller.application_id not in (None, data.application):
            return "data.application", "the key belongs to another application"
        now = allowed.now_of(tenant_id)
        if tenant_id in allowed.clocks:
            if time > now:
                return "time", f"is after the tenant's test clock: {now:%Y-%m-%d %H:%M:%S} UTC"
        elif time > now + timedelta(seconds=self._settings.event_max_future_seconds):
            seconds = self._settings.event_max_future_seconds
            return "time", f"is more than {seconds} s in the future"
        if time < now - timedelta(days=self._settings.event_max_age_days):
            return "time", f"is more than {self._settings.event_max_age_days} days ago"
        if tenant_id in allowed.archived and time < allowed.archived[tenant_id]:
            # It can't be known whether it was counted already
            day = f"{allowed.archived[tenant_id].astimezone(UTC):%Y-%m-%d}"
            return "time", f"is before {day}: events were archived"
        return None

    async def _owners(
        self, caller: Principal, members: Sequence[SentEvent | Refusal]
    ) -> dict[str | None, str]:
        """Return the tenant that each subject names, where the caller may write for it."""
        # Those of refused members too, so that it is known whose they were
        subjects = {member.subject for member in members}
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


def _sender(caller: Principal) -> Sender:
    return "tenant" if caller.tenant_id else "operator"


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
        upstream=data.upstream or "",
        quantities=data.quantities,
        labels=data.labels,
        counted=data.counted,
    )
