"""The refused events on record."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import msgspec
from sqlalchemy import RowMapping, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.kit.errors import InvalidCursor
from backend.kit.pages import Cursor, page_of
from backend.storage.tables import refused_events, tenants
from backend_client.types.common import Page
from backend_client.types.refused_events import RefusedEvents

_place = msgspec.json.Decoder(tuple[date, datetime, str])
_KEY = (refused_events.c.day, refused_events.c.first_at, refused_events.c.id)


async def list_refused(
    connection: AsyncConnection,
    *,
    tenant_id: str | None,
    day: date | None,
    cursor: str | None,
    limit: int,
    with_operators_credentials: bool = True,
) -> Page[RefusedEvents]:
    """Return a page of what was refused, the newest day first.

    Of one tenant, or with ``tenant_id`` None of all, and of nobody's. A tenant is not told which
    of the operator's credentials sent an event. Raises ``InvalidInput`` for a cursor that no page
    returned.
    """
    query = (
        select(refused_events, tenants.c.slug)
        .outerjoin(tenants, tenants.c.id == refused_events.c.tenant_id)
        .order_by(*(column.desc() for column in _KEY))
        .limit(limit + 1)
    )
    if tenant_id is not None:
        query = query.where(refused_events.c.tenant_id == tenant_id)
    if day is not None:
        query = query.where(refused_events.c.day == day)
    if cursor is not None:
        query = query.where(tuple_(*_KEY) < tuple_(*_read(cursor)))
    rows = (await connection.execute(query)).mappings().all()
    page = page_of(list(rows), limit, _write)
    items = [_refused(row, with_operators_credentials) for row in page.items]
    return Page(items=items, next_cursor=page.next_cursor)


def _refused(row: RowMapping, with_operators_credentials: bool) -> RefusedEvents:
    shown = row["sender"] == "tenant" or with_operators_credentials
    return RefusedEvents(
        id=row["id"],
        tenant=row["slug"],
        day=row["day"],
        sender=row["sender"],
        credential=(row["credential"] or None) if shown else None,
        field=row["field"],
        detail=row["detail"],
        event_count=row["event_count"],
        first_at=row["first_at"],
        last_at=row["last_at"],
        sample_id=row["sample_id"],
        sample_source=row["sample_source"],
    )


def _write(row: RowMapping) -> str:
    return msgspec.json.encode((row["day"], row["first_at"], row["id"])).decode()


def _read(cursor: str) -> tuple[Any, ...]:
    try:
        return _place.decode(Cursor.read(cursor))
    except msgspec.DecodeError:
        raise InvalidCursor() from None
