"""Check what is sent to ingest: keep what is good, say of the rest which, where and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import msgspec
from pydantic import ValidationError
from sqlalchemy import or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.accounts.principal import Principal
from backend.errors import MalformedRequest, TooLarge
from backend.metering.events import AcceptedEvent
from backend.settings import Settings
from backend.storage.tables import applications, events, tenants
from backend_client.types.events import RejectedEvent, UsageEvent

MAX_BATCH = 10_000

# A JSON number becomes a Decimal digit by digit; pydantic's own reader goes through a float.
_decoder = msgspec.json.Decoder(float_hook=Decimal)


@dataclass(slots=True)
class Batch:
    """The verdict on a request, before its good members are published."""

    received: int
    accepted: list[AcceptedEvent] = field(default_factory=list)
    duplicates: int = 0
    rejected: list[RejectedEvent] = field(default_factory=list)


class _Refused(Exception):
    def __init__(self, field_name: str | None, detail: str) -> None:
        super().__init__(detail)
        self.field = field_name
        self.detail = detail


def parse_body(body: bytes) -> list[object]:
    """Return the members of a body, one event or an array; raise if it is neither."""
    try:
        document = _decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError) as error:
        raise MalformedRequest(f"The body is not valid JSON: {error}") from error
    members = document if isinstance(document, list) else [document]
    if len(members) > MAX_BATCH:
        raise TooLarge(
            f"A batch holds at most {MAX_BATCH:,} events; this one has {len(members):,}."
        )
    return members


async def check_events(
    connection: AsyncConnection,
    settings: Settings,
    caller: Principal,
    members: Sequence[object],
    now: datetime,
) -> Batch:
    """Sort ``members`` into accepted, known already and rejected. Nothing is stored yet.

    Duplicates are looked up for the sender's information; what makes an event count once is the
    worker's insert.
    """
    batch = Batch(received=len(members))
    read: list[tuple[int, UsageEvent]] = []
    for index, member in enumerate(members):
        try:
            read.append((index, _read(member)))
        except _Refused as refused:
            batch.rejected.append(_rejection(index, member, refused))
    owners = await _tenants(connection, caller, {event.subject for _, event in read})
    known_applications = await _applications(connection, set(owners.values()))
    good: list[AcceptedEvent] = []
    for index, event in read:
        try:
            good.append(_accept(event, caller, owners, known_applications, settings, now))
        except _Refused as refused:
            batch.rejected.append(_rejection(index, members[index], refused))
    known = await _known(connection, good)
    for one in good:
        identity = (one.tenant_id, one.source, one.id)
        if identity in known:
            batch.duplicates += 1
        else:
            known.add(identity)
            batch.accepted.append(one)
    batch.rejected.sort(key=lambda one: one.index)
    return batch


def _read(member: object) -> UsageEvent:
    try:
        return UsageEvent.model_validate(member)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        raise _Refused(".".join(str(part) for part in first["loc"]) or None, first["msg"]) from None


def _rejection(index: int, member: object, refused: _Refused) -> RejectedEvent:
    event_id = member.get("id") if isinstance(member, dict) else None
    return RejectedEvent(
        index=index,
        id=event_id if isinstance(event_id, str) else None,
        field=refused.field,
        detail=refused.detail,
    )


def _accept(
    event: UsageEvent,
    caller: Principal,
    owners: Mapping[str | None, str],
    known_applications: set[tuple[str, str]],
    settings: Settings,
    now: datetime,
) -> AcceptedEvent:
    tenant_id = owners.get(event.subject)
    if tenant_id is None:
        # The same words whether there is no such tenant or it is another's.
        raise _Refused("subject", "names no tenant that this credential may write for")
    data = event.data
    if (tenant_id, data.application) not in known_applications:
        raise _Refused("data.application", "the tenant has no such application")
    if caller.application_id is not None and data.application != caller.application_id:
        raise _Refused("data.application", "the key belongs to another application")
    time = event.time or now
    if time > now + timedelta(seconds=settings.event_max_future_seconds):
        raise _Refused("time", f"is more than {settings.event_max_future_seconds} s in the future")
    if time < now - timedelta(days=settings.event_max_age_days):
        raise _Refused("time", f"is more than {settings.event_max_age_days} days ago")
    return AcceptedEvent(
        tenant_id=tenant_id,
        source=event.source,
        id=event.id,
        time=time.astimezone(UTC),
        received_at=now,
        application_id=data.application,
        key_id=data.key or "",
        model=data.model,
        quantities=dict(data.quantities),
        labels=dict(data.labels),
        counted=None if data.counted is None else dict(data.counted),
    )


async def _tenants(
    connection: AsyncConnection, caller: Principal, subjects: set[str | None]
) -> dict[str | None, str]:
    """Return the id of the tenant that each subject names, where the caller may write for it."""
    named = {subject for subject in subjects if subject is not None}
    found: dict[str | None, str] = {}
    if caller.tenant_id:
        found[None] = caller.tenant_id
    if named:
        query = select(tenants.c.id, tenants.c.slug).where(
            or_(tenants.c.id.in_(named), tenants.c.slug.in_(named))
        )
        if caller.tenant_id:
            query = query.where(tenants.c.id == caller.tenant_id)
        for tenant_id, slug in await connection.execute(query):
            found[tenant_id] = found[slug] = tenant_id
    return found


async def _applications(connection: AsyncConnection, tenant_ids: set[str]) -> set[tuple[str, str]]:
    rows = await connection.execute(
        select(applications.c.tenant_id, applications.c.id).where(
            applications.c.tenant_id.in_(tenant_ids)
        )
    )
    return {(tenant_id, application_id) for tenant_id, application_id in rows}


async def _known(
    connection: AsyncConnection, accepted: Sequence[AcceptedEvent]
) -> set[tuple[str, str, str]]:
    if not accepted:
        return set()
    identities = [(one.tenant_id, one.source, one.id) for one in accepted]
    found: set[tuple[str, str, str]] = set()
    for start in range(0, len(identities), 5_000):  # a statement has at most 32,767 parameters
        rows = await connection.execute(
            select(events.c.tenant_id, events.c.source, events.c.id).where(
                tuple_(events.c.tenant_id, events.c.source, events.c.id).in_(
                    identities[start : start + 5_000]
                )
            )
        )
        found.update((tenant_id, source, event_id) for tenant_id, source, event_id in rows)
    return found
