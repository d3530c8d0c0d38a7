"""The audit log: who did what in a tenant."""

from __future__ import annotations

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.accounts.principal import Principal
from backend.ids import new_id
from backend.kit.pages import Cursor, page_of
from backend.storage.tables import audit_entries, users
from backend_client.types.accounts import AuditEntry
from backend_client.types.common import Page


async def record(
    connection: AsyncConnection,
    caller: Principal,
    action: str,
    target: str,
    *,
    tenant_id: str | None = None,
    detail: dict[str, object] | None = None,
) -> None:
    """Write an audit entry in the transaction of the action that it records."""
    await connection.execute(
        insert(audit_entries).values(
            tenant_id=tenant_id or caller.tenant_id,
            id=new_id("aud"),
            actor=caller.id,
            action=action,
            target=target,
            detail=detail or {},
        )
    )


async def list_audit(
    connection: AsyncConnection, tenant_id: str, *, cursor: str | None, limit: int
) -> Page[AuditEntry]:
    """Return a page of a tenant's audit entries, newest first."""
    query = (
        select(
            audit_entries.c.id,
            audit_entries.c.created_at.label("at"),
            audit_entries.c.actor,
            users.c.name.label("actor_name"),
            audit_entries.c.action,
            audit_entries.c.target,
            audit_entries.c.detail,
        )
        .outerjoin(users, users.c.id == audit_entries.c.actor)
        .where(audit_entries.c.tenant_id == tenant_id)
        .order_by(audit_entries.c.id.desc())
        .limit(limit + 1)
    )
    if cursor is not None:
        query = query.where(audit_entries.c.id < Cursor.read(cursor))
    rows = (await connection.execute(query)).mappings().all()
    return page_of(
        [AuditEntry.model_validate(dict(row)) for row in rows], limit, lambda entry: entry.id
    )
