"""Stored events: in pages, and the newest."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime

import msgspec
from pydantic import TypeAdapter, ValidationError
from sqlalchemy import ColumnElement, RowMapping, Text, and_, cast, select, tuple_
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.kit.errors import InvalidCursor
from backend.kit.pages import Cursor
from backend.storage.tables import events
from backend_client.types.common import Instant, Page
from backend_client.types.events import StoredEvent

_Place = tuple[datetime, str, str, str]
_places = msgspec.json.Decoder(_Place)
_instant = TypeAdapter(Instant)
_KEY = (events.c.time, events.c.source, events.c.id, events.c.sender)


@dataclass(frozen=True, slots=True)
class EventQuestion:
    """Which events: ``start`` inclusive, ``end`` exclusive; an empty filter matches all."""

    start: datetime | None = None
    end: datetime | None = None
    senders: Collection[str] = ()
    sources: Collection[str] = ()
    ids: Collection[str] = ()
    applications: Collection[str] = ()
    keys: Collection[str] = ()
    models: Collection[str] = ()
    upstreams: Collection[str] = ()
    meters: Collection[str] = ()
    labels: Mapping[str, str] = field(default_factory=dict)


async def list_events(
    connection: AsyncConnection,
    tenant_id: str,
    question: EventQuestion,
    *,
    cursor: str | None,
    limit: int,
    with_upstreams: bool = False,
) -> Page[StoredEvent]:
    """Return a page of a tenant's events, newest first by the time of use.

    Who served them is the seller's business: only ``with_upstreams`` is it in the answer. Raises
    ``InvalidInput`` for a cursor that no page returned.
    """
    query = (
        select(events)
        .where(_conditions(tenant_id, question))
        .order_by(*(column.desc() for column in _KEY))
        .limit(limit + 1)
    )
    if cursor is not None:
        place = _read(cursor)
        # The first condition follows from the second; it lets the index be used.
        query = query.where(events.c.time <= place[0], tuple_(*_KEY) < tuple_(*place))
    rows = (await connection.execute(query)).mappings().all()
    items = [_stored(row, with_upstreams) for row in rows[:limit]]
    following = _write(items[-1]) if len(rows) > limit else None
    return Page(items=items, next_cursor=following)


async def newest_events(
    connection: AsyncConnection, tenant_id: str, since: datetime, limit: int
) -> list[StoredEvent]:
    """Return the events that were received last, oldest of them first."""
    rows = await connection.execute(
        select(events)
        .where(events.c.tenant_id == tenant_id, events.c.received_at >= since)
        .order_by(events.c.received_at.desc())
        .limit(limit)
    )
    return [_stored(row, with_upstreams=False) for row in rows.mappings()][::-1]


def _conditions(tenant_id: str, question: EventQuestion) -> ColumnElement[bool]:
    conditions = [events.c.tenant_id == tenant_id]
    if question.start is not None:
        conditions.append(events.c.time >= question.start)
    if question.end is not None:
        conditions.append(events.c.time < question.end)
    for column, wanted in (
        (events.c.sender, question.senders),
        (events.c.source, question.sources),
        (events.c.id, question.ids),
        (events.c.application_id, question.applications),
        (events.c.key_id, question.keys),
        (events.c.model, question.models),
        (events.c.upstream, question.upstreams),
    ):
        if wanted:
            conditions.append(column.in_(wanted))
    if question.meters:
        conditions.append(events.c.quantities.has_any(cast(list(question.meters), ARRAY(Text))))
    if question.labels:
        conditions.append(events.c.labels.contains(dict(question.labels)))
    return and_(*conditions)


def _stored(row: RowMapping, with_upstreams: bool) -> StoredEvent:
    return StoredEvent(
        id=row["id"],
        sender=row["sender"],
        source=row["source"],
        time=row["time"],
        received_at=row["received_at"],
        application=row["application_id"],
        model=row["model"],
        key=row["key_id"] or None,
        upstream=(row["upstream"] or None) if with_upstreams else None,
        quantities=row["quantities"],
        labels=row["labels"],
        counted=row["counted"],
        voided=row["voided"],
        corrected_at=row["corrected_at"],
    )


def _write(last: StoredEvent) -> str:
    return Cursor.write(
        msgspec.json.encode((last.time, last.source, last.id, last.sender)).decode()
    )


def _read(cursor: str) -> _Place:
    try:
        place: _Place = _places.decode(Cursor.read(cursor))
        _instant.validate_python(place[0])
    except (msgspec.DecodeError, ValidationError):
        raise InvalidCursor() from None
    return place
