"""Platforms as the operator sees them, and sending again what was refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, RowMapping, func, or_, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.kit.pages import Cursor, page_of
from backend.platforms.adapter import Adapter
from backend.platforms.errors import DispatchNotFound, DispatchNotRefused, PlatformUnknown
from backend.storage.tables import platform_connections as connections
from backend.storage.tables import platform_dispatches as dispatches
from backend.storage.tables import platform_drift as drift
from backend.storage.tables import platform_objects as objects
from backend_client.types.common import Page
from backend_client.types.platforms import (
    Dispatch,
    DispatchState,
    PlatformConnection,
    PlatformCursor,
    PlatformDrift,
    PlatformName,
    PlatformStatus,
    RemoteObject,
)

_SET_ASIDE = (DispatchState.REFUSED.value, DispatchState.SKIPPED.value)

_STATUS = text(
    """
    SELECT
      (SELECT count(*) FROM platform_connections
        WHERE platform = :platform AND starts_at <= :now
          AND (ends_at IS NULL OR ends_at > :now)) AS connections,
      (SELECT count(*) FROM platform_dispatches
        WHERE platform = :platform AND state = 'waiting') AS waiting,
      (SELECT count(*) FROM platform_dispatches
        WHERE platform = :platform AND state = 'refused') AS refused,
      (SELECT min(created_at) FROM platform_dispatches
        WHERE platform = :platform AND state = 'waiting') AS oldest,
      (SELECT count(*) FROM platform_inbox
        WHERE platform = :platform AND state = 'waiting') AS inbox_waiting,
      (SELECT count(*) FROM platform_inbox
        WHERE platform = :platform AND state = 'failed') AS inbox_failed,
      (SELECT count(*) FROM platform_drift
        WHERE platform = :platform AND resolved_at IS NULL) AS drift
    """
)
_CURSORS = text(
    """
    SELECT cursor.tenant_id, cursor.platform, cursor.stream, cursor.position, cursor.closed_until,
      count(dispatch.id) FILTER (WHERE dispatch.state = 'waiting') AS waiting,
      count(dispatch.id) FILTER (WHERE dispatch.state = 'refused') AS refused,
      min(dispatch.created_at) FILTER (WHERE dispatch.state = 'waiting') AS oldest_waiting_at
    FROM platform_cursors AS cursor
    LEFT JOIN platform_dispatches AS dispatch
      ON dispatch.tenant_id = cursor.tenant_id AND dispatch.platform = cursor.platform
      AND dispatch.stream = cursor.stream AND dispatch.state IN ('waiting', 'refused')
    WHERE cursor.platform = :platform
      AND (cursor.tenant_id, cursor.stream) > (:after_tenant, :after_stream)
    GROUP BY cursor.tenant_id, cursor.platform, cursor.stream
    ORDER BY cursor.tenant_id, cursor.stream
    LIMIT :limit
    """
)


async def platform_statuses(
    connection: AsyncConnection, adapters: Mapping[str, Adapter], now: datetime
) -> list[PlatformStatus]:
    """Return every platform, and how far it is behind."""
    statuses = []
    for name in PlatformName:
        values = {"platform": name.value, "now": now}
        row = (await connection.execute(_STATUS, values)).mappings().one()
        lag = 0.0 if row["oldest"] is None else (now - row["oldest"]).total_seconds()
        counts = {key: value for key, value in row.items() if key != "oldest"}
        statuses.append(
            PlatformStatus(
                platform=name.value,
                configured=name.value in adapters,
                lag_seconds=max(lag, 0.0),
                **counts,
            )
        )
    return statuses


async def list_cursors(
    connection: AsyncConnection, platform: str, *, cursor: str | None, limit: int
) -> Page[PlatformCursor]:
    """Return a page of the streams that are sent to a platform; raise ``NotFound``."""
    if platform not in list(PlatformName):
        raise PlatformUnknown()
    after_tenant, _, after_stream = Cursor.read(cursor).partition(" ") if cursor else ("", "", "")
    values = {
        "platform": platform,
        "after_tenant": after_tenant,
        "after_stream": after_stream,
        "limit": limit + 1,
    }
    rows = (await connection.execute(_CURSORS, values)).mappings().all()
    return page_of(
        [PlatformCursor.model_validate(dict(row)) for row in rows],
        limit,
        lambda of: f"{of.tenant_id} {of.stream}",
    )


async def list_dispatches(
    connection: AsyncConnection,
    *,
    tenant_id: str | None,
    state: DispatchState | None,
    cursor: str | None,
    limit: int,
) -> Page[Dispatch]:
    """Return a page of what is sent to platforms, newest first."""
    query = select(dispatches).order_by(dispatches.c.id.desc()).limit(limit + 1)
    if tenant_id is not None:
        query = query.where(dispatches.c.tenant_id == tenant_id)
    if state is not None:
        query = query.where(dispatches.c.state == state.value)
    if cursor is not None:
        query = query.where(dispatches.c.id < Cursor.read(cursor))
    rows = (await connection.execute(query)).mappings().all()
    return page_of([_dispatch(row) for row in rows], limit, lambda item: item.id)


async def list_all_connections(
    connection: AsyncConnection, now: datetime, *, cursor: str | None, limit: int
) -> Page[PlatformConnection]:
    """Return a page of the connections that hold now or will, by tenant and then by time."""
    key = func.concat_ws(
        " ",
        connections.c.tenant_id,
        func.to_char(
            func.timezone("UTC", connections.c.starts_at), text("'YYYY-MM-DD\"T\"HH24:MI:SS.US'")
        ),
    )
    query = (
        select(connections, key.label("key"))
        .where(or_(connections.c.ends_at.is_(None), connections.c.ends_at > now))
        .order_by(key)
        .limit(limit + 1)
    )
    if cursor is not None:
        query = query.where(key > Cursor.read(cursor))
    rows = (await connection.execute(query)).mappings().all()
    page = page_of(list(rows), limit, lambda row: str(row["key"]))
    items = [PlatformConnection.model_validate(dict(row)) for row in page.items]
    return Page(items=items, next_cursor=page.next_cursor)


async def list_remote_objects(
    connection: AsyncConnection, tenant_id: str, *, cursor: str | None, limit: int
) -> Page[RemoteObject]:
    """Return a page of what platforms call a tenant's customer, invoices, meters and the like."""
    key = func.concat_ws(" ", objects.c.platform, objects.c.kind, objects.c.own_id)
    query = select(objects).where(objects.c.tenant_id == tenant_id).order_by(key).limit(limit + 1)
    if cursor is not None:
        query = query.where(key > Cursor.read(cursor))
    rows = (await connection.execute(query)).mappings().all()
    return page_of(
        [RemoteObject.model_validate({**row, "state": row["data"]}) for row in rows],
        limit,
        lambda item: f"{item.platform} {item.kind} {item.own_id}",
    )


async def skip(connection: AsyncConnection, dispatch_id: str, reason: str) -> Dispatch:
    """Leave out what was refused, so that what waits for it goes on.

    It can be sent again later. Raises ``NotFound``, or ``Conflict`` if it was not refused.
    """
    query = select(dispatches).where(dispatches.c.id == dispatch_id).with_for_update()
    row = (await connection.execute(query)).mappings().first()
    if row is None:
        raise DispatchNotFound()
    if row["state"] != DispatchState.REFUSED:
        raise DispatchNotRefused(f"It is {row['state']}.")
    skipped = await connection.execute(
        update(dispatches)
        .where(dispatches.c.id == dispatch_id)
        .values(
            state=DispatchState.SKIPPED.value,
            reason=f"Skipped: {reason} It was refused: {row['reason']}",
        )
        .returning(dispatches)
    )
    return _dispatch(skipped.mappings().one())


async def replay(connection: AsyncConnection, dispatch_id: str, now: datetime) -> Dispatch:
    """Send again what was refused or skipped; raise ``NotFound``, or ``Conflict`` for others.

    It keeps its identity: what the platform took after all is not made twice.
    """
    query = select(dispatches).where(dispatches.c.id == dispatch_id).with_for_update()
    row = (await connection.execute(query)).mappings().first()
    if row is None:
        raise DispatchNotFound()
    if row["state"] not in _SET_ASIDE:
        raise DispatchNotRefused(f"It is {row['state']}.")
    [again] = await _again(connection, dispatches.c.id == dispatch_id, now, _SET_ASIDE)
    return again


async def replay_all(
    connection: AsyncConnection, platform: str, tenant_id: str | None, now: datetime
) -> int:
    """Send again all that a platform refused, of a tenant or of all; return how many."""
    which = dispatches.c.platform == platform
    if tenant_id is not None:
        which &= dispatches.c.tenant_id == tenant_id
    return len(await _again(connection, which, now))


async def list_drift(
    connection: AsyncConnection, *, tenant_id: str | None, cursor: str | None, limit: int
) -> Page[PlatformDrift]:
    """Return a page of what differs now, what was seen first at the end."""
    key = func.concat_ws(" ", drift.c.tenant_id, drift.c.kind, drift.c.subject, drift.c.cause)
    query = select(drift).where(drift.c.resolved_at.is_(None)).order_by(key).limit(limit + 1)
    if tenant_id is not None:
        query = query.where(drift.c.tenant_id == tenant_id)
    if cursor is not None:
        query = query.where(key > Cursor.read(cursor))
    rows = (await connection.execute(query)).mappings().all()
    return page_of(
        [PlatformDrift.model_validate(dict(row)) for row in rows],
        limit,
        lambda item: f"{item.tenant_id} {item.kind} {item.subject} {item.cause}",
    )


async def _again(
    connection: AsyncConnection,
    which: ColumnElement[bool],
    now: datetime,
    states: Sequence[str] = (DispatchState.REFUSED.value,),
) -> list[Dispatch]:
    rows = await connection.execute(
        update(dispatches)
        .where(which, dispatches.c.state.in_(states))
        .values(
            state=DispatchState.WAITING.value,
            attempts=0,
            next_attempt_at=now,
            # Under new keys: the platform may have kept its refusal for the old ones
            key_group=dispatches.c.key_group + 1,
            key_since=None,
        )
        .returning(dispatches)
    )
    return [_dispatch(row) for row in rows.mappings()]


def _dispatch(row: RowMapping) -> Dispatch:
    waiting = row["state"] == DispatchState.WAITING
    values = dict(row) | {"next_attempt_at": row["next_attempt_at"] if waiting else None}
    return Dispatch.model_validate(values)
