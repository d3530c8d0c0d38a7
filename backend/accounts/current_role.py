"""A caller's role as it is now, whatever was read of it a moment ago."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.accounts.errors import PermissionMissing
from backend.accounts.principal import ROLE_PERMISSIONS, Permission, Principal
from backend.storage.tables import members
from backend_client.types.accounts import Role


async def role_now(connection: AsyncConnection, caller: Principal, permission: Permission) -> Role:
    """Return the caller's role, which for a person may be another than their session's cache says.

    Raises ``Forbidden`` for a person who is no member any more, or whose role lost ``permission``.
    The membership stays until the transaction ends: who is removed gets no new secret meanwhile.
    """
    if caller.actor_kind != "user":
        return caller.role
    membership = await connection.execute(
        select(members.c.role)
        .where(members.c.tenant_id == caller.tenant_id, members.c.user_id == caller.id)
        .with_for_update(read=True)
    )
    role = membership.scalar()
    if role is None:
        raise PermissionMissing("You are no member of this tenant any more.")
    if permission not in ROLE_PERMISSIONS[Role(role)]:
        raise PermissionMissing(f"Your role does not have the permission {permission.value!r}.")
    return Role(role)
