"""A person's sessions: listed and ended, by the person or by the operator."""

from __future__ import annotations

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.accounts.audit.writing import record
from backend.accounts.errors import MemberNotFound, SessionNotFound
from backend.accounts.principal import Principal
from backend.accounts.secrets import hash_secret
from backend.kit.pages import Cursor, page_of
from backend.storage.tables import members, sessions
from backend_client.types.common import Page
from backend_client.types.sessions import Session

_SHOWN = [column for column in sessions.c if column.name in Session.model_fields]


async def list_sessions(
    connection: AsyncConnection,
    user_id: str,
    *,
    token: str | None,
    cursor: str | None,
    limit: int,
) -> Page[Session]:
    """Return a page of the person's sessions that have not expired, newest first.

    ``token`` is the one that asks, if it is one of them.
    """
    current = (sessions.c.token_hash == hash_secret(token or "")).label("is_current")
    query = (
        select(*_SHOWN, current)
        .where(sessions.c.user_id == user_id, sessions.c.expires_at > func.now())
        .order_by(sessions.c.id.desc())
        .limit(limit + 1)
    )
    if cursor is not None:
        query = query.where(sessions.c.id < Cursor.read(cursor))
    rows = (await connection.execute(query)).mappings().all()
    return page_of(
        [Session.model_validate(dict(row)) for row in rows], limit, lambda session: session.id
    )


async def end_one(connection: AsyncConnection, caller: Principal, session_id: str) -> None:
    """End one of the caller's sessions; raise ``SessionNotFound`` if they have no such one."""
    ended = await connection.execute(
        delete(sessions)
        .where(sessions.c.user_id == caller.id, sessions.c.id == session_id)
        .returning(sessions.c.id)
    )
    if ended.first() is None:
        raise SessionNotFound()
    await record(connection, caller, "session.end", session_id)


async def end_others(connection: AsyncConnection, caller: Principal, token: str) -> None:
    """End all sessions of the caller but the one with this token; may be repeated."""
    ended = await connection.execute(
        delete(sessions)
        .where(sessions.c.user_id == caller.id, sessions.c.token_hash != hash_secret(token))
        .returning(sessions.c.id)
    )
    for session_id in ended.scalars():
        await record(connection, caller, "session.end", session_id)


async def end_all_of(
    connection: AsyncConnection, caller: Principal, tenant_id: str, user_id: str
) -> None:
    """End all sessions of a tenant's member, whichever tenant they act for; may be repeated.

    Raises ``MemberNotFound``.
    """
    await _require_member(connection, tenant_id, user_id)
    ended = await connection.execute(
        delete(sessions).where(sessions.c.user_id == user_id).returning(sessions.c.id)
    )
    detail: dict[str, object] = {"sessions": len(ended.all())}
    await record(connection, caller, "member.sign_out", user_id, tenant_id=tenant_id, detail=detail)


async def list_of_member(
    connection: AsyncConnection, tenant_id: str, user_id: str, *, cursor: str | None, limit: int
) -> Page[Session]:
    """Return a page of a member's sessions, newest first; raise ``MemberNotFound``."""
    await _require_member(connection, tenant_id, user_id)
    return await list_sessions(connection, user_id, token=None, cursor=cursor, limit=limit)


async def _require_member(connection: AsyncConnection, tenant_id: str, user_id: str) -> None:
    query = select(members.c.user_id).where(
        members.c.tenant_id == tenant_id, members.c.user_id == user_id
    )
    if (await connection.execute(query)).first() is None:
        raise MemberNotFound()
