"""Who did what in a tenant."""

from __future__ import annotations

from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.accounts.principal import Principal
from backend.ids import new_id
from backend.storage.tables import audit_entries


async def record(
    connection: AsyncConnection,
    caller: Principal,
    action: str,
    target: str,
    *,
    tenant_id: str | None = None,
    detail: dict[str, object] | None = None,
) -> None:
    """Write an audit entry in the transaction that does what it tells of."""
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
