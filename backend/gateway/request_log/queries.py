"""The log of calls as it is read: in pages, one call, and all for a file."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec
from pydantic import TypeAdapter, ValidationError
from sqlalchemy import ColumnElement, RowMapping, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.gateway.errors import RequestNotFound
from backend.kit.errors import InvalidCursor
from backend.kit.pages import Cursor, page_of
from backend.storage.database import Database
from backend.storage.tables import gateway_requests, request_bodies
from backend_client.types.common import Instant, Page
from backend_client.types.requests import (
    LoggedRequest,
    LoggedRequestDetails,
    RequestBodies,
    RequestOutcome,
)

_BATCH = 1000
_Place = tuple[datetime, str]
_places = msgspec.json.Decoder(_Place)
_instant = TypeAdapter(Instant)
_ROW = gateway_requests.c
_KEY = (_ROW.time, _ROW.id)


@dataclass(frozen=True, slots=True)
class RequestQuestion:
    """Which calls: ``start`` inclusive, ``end`` exclusive; an empty filter matches all."""

    start: datetime | None = None
    end: datetime | None = None
    outcomes: Collection[RequestOutcome] = ()
    statuses: Collection[int] = ()
    codes: Collection[str] = ()
    models: Collection[str] = ()
    keys: Collection[str] = ()
    applications: Collection[str] = ()
    upstreams: Collection[str] = ()
    min_duration_ms: int | None = None
    request_id: str | None = None
    event_id: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Sight:
    """What a reader may see beside how a call went."""

    upstreams: bool = False
    spend: bool = False
    bodies: bool = False


async def list_requests(
    connection: AsyncConnection,
    tenant_id: str,
    question: RequestQuestion,
    sight: Sight,
    *,
    cursor: str | None,
    limit: int,
) -> Page[LoggedRequest]:
    """Return a page of a tenant's calls, newest first. Raises ``InvalidCursor``."""
    query = (
        select(gateway_requests)
        .where(_ROW.tenant_id == tenant_id, *_conditions(question))
        .order_by(*(column.desc() for column in _KEY))
        .limit(limit + 1)
    )
    if cursor is not None:
        place = _read(cursor)
        query = query.where(_ROW.time <= place[0], tuple_(*_KEY) < tuple_(*place))
    rows = (await connection.execute(query)).mappings().all()
    page = page_of(list(rows), limit, _write)
    items = [LoggedRequest(**_members(row, sight)) for row in page.items]
    return Page(items=items, next_cursor=page.next_cursor)


async def find_request(
    connection: AsyncConnection, tenant_id: str, request_id: str, sight: Sight
) -> LoggedRequestDetails:
    """Return a tenant's call with its bodies; raises ``RequestNotFound``."""
    query = select(gateway_requests).where(_ROW.tenant_id == tenant_id, _ROW.id == request_id)
    row = (await connection.execute(query)).mappings().first()
    if row is None:
        raise RequestNotFound()
    bodies = await _bodies(connection, tenant_id, request_id) if sight.bodies else None
    return LoggedRequestDetails(**_members(row, sight), bodies=bodies)


async def every_request(
    database: Database, tenant_id: str, question: RequestQuestion, sight: Sight
) -> AsyncIterator[list[LoggedRequest]]:
    """Yield all calls that a question asks for in batches, each read in its own transaction."""
    cursor: str | None = None
    while True:
        async with database.begin() as connection:
            page = await list_requests(
                connection, tenant_id, question, sight, cursor=cursor, limit=_BATCH
            )
        yield page.items
        cursor = page.next_cursor
        if cursor is None:
            return


async def _bodies(
    connection: AsyncConnection, tenant_id: str, request_id: str
) -> RequestBodies | None:
    query = select(request_bodies).where(
        request_bodies.c.tenant_id == tenant_id, request_bodies.c.id == request_id
    )
    row = (await connection.execute(query)).mappings().first()
    return None if row is None else RequestBodies.model_validate(dict(row))


def _conditions(question: RequestQuestion) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if question.start is not None:
        conditions.append(_ROW.time >= question.start)
    if question.end is not None:
        conditions.append(_ROW.time < question.end)
    if question.min_duration_ms is not None:
        conditions.append(_ROW.duration_ms >= question.min_duration_ms)
    if question.labels:
        conditions.append(_ROW.labels.contains(dict(question.labels)))
    filters: tuple[tuple[ColumnElement[Any], Collection[Any]], ...] = (
        (_ROW.outcome, question.outcomes),
        (_ROW.status, question.statuses),
        (_ROW.error_code, question.codes),
        (_ROW.model, question.models),
        (_ROW.key_id, question.keys),
        (_ROW.application_id, question.applications),
        (_ROW.upstream, question.upstreams),
        (_ROW.request_id, () if question.request_id is None else (question.request_id,)),
        (_ROW.event_id, () if question.event_id is None else (question.event_id,)),
    )
    return conditions + [column.in_(wanted) for column, wanted in filters if wanted]


def _members(row: RowMapping, sight: Sight) -> dict[str, Any]:
    return {
        **row,
        "application": row["application_id"] or None,
        "key": row["key_id"] or None,
        "upstream": (row["upstream"] or None) if sight.upstreams else None,
        "request_id": row["request_id"] or None,
        "answer_id": row["answer_id"] or None,
        "cost": row["cost"] if sight.spend else None,
        "currency": row["currency"] if sight.spend else None,
    }


def _write(row: RowMapping) -> str:
    return msgspec.json.encode((row["time"], row["id"])).decode()


def _read(cursor: str) -> _Place:
    try:
        place: _Place = _places.decode(Cursor.read(cursor))
        _instant.validate_python(place[0])
    except (msgspec.DecodeError, ValidationError):
        raise InvalidCursor() from None
    return place
