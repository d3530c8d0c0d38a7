"""Writing the audit: who did what, from where. ``queries`` reads it."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import delete, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.accounts.principal import Principal
from backend.ids import new_id
from backend.kit.origin import origin
from backend.storage.tables import audit_entries
from backend_client.types.audit import ActorKind

NO_TENANT = ""
"""The tenant of an entry that concerns none, such as the publishing of a catalog."""


async def record(
    connection: AsyncConnection,
    caller: Principal,
    action: str,
    target: str,
    *,
    tenant_id: str | None = None,
    detail: Mapping[str, object] | None = None,
) -> None:
    """Write an audit entry in the transaction of the action that it records.

    It is the caller's tenant's unless ``tenant_id`` names another. ``detail`` is JSON without a
    secret. The address and the id of the request come with it by themselves.
    """
    await _write(
        connection,
        caller.tenant_id if tenant_id is None else tenant_id,
        (caller.id, caller.actor_kind),
        (action, target),
        detail or {},
    )


async def record_sign_in(
    connection: AsyncConnection, user_id: str, tenant_id: str, way: str
) -> None:
    """Record that a person began a session in a tenant; ``way`` is ``oidc`` or ``local``."""
    await _write(
        connection, tenant_id, (user_id, "user"), ("session.create", user_id), {"way": way}
    )


async def record_failed_sign_in(
    connection: AsyncConnection, way: str, reason: str, *, unrecorded: int
) -> None:
    """Record that somebody could not sign in, for the operator: nobody knows who it was.

    ``reason`` is the refusal's code, ``unrecorded`` how many more there were before this.
    """
    detail = {"way": way, "reason": reason, "unrecorded": unrecorded}
    await _write(connection, NO_TENANT, ("anonymous", "anonymous"), ("session.refuse", way), detail)


async def forget_tenant(connection: AsyncConnection, tenant_id: str) -> None:
    """Delete what the people and keys of a tenant did; what the operator did is kept."""
    await connection.execute(
        delete(audit_entries).where(
            audit_entries.c.tenant_id == tenant_id, audit_entries.c.actor_kind != "operator"
        )
    )


async def _write(
    connection: AsyncConnection,
    tenant_id: str,
    actor: tuple[str, ActorKind],
    action: tuple[str, str],
    detail: Mapping[str, object],
) -> None:
    request = origin()
    await connection.execute(
        insert(audit_entries).values(
            tenant_id=tenant_id,
            id=new_id("aud"),
            actor=actor[0],
            actor_kind=actor[1],
            action=action[0],
            target=action[1],
            detail=dict(detail),
            address=request.address,
            request_id=request.request_id,
        )
    )
