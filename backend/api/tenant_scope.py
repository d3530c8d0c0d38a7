"""The tenant that the operator acts for."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncConnection

from backend.accounts.principal import Principal
from backend.accounts.tenants import find_tenant
from backend.api.errors import TenantNotNamed
from backend_client.types.accounts import Tenant


async def customer(
    connection: AsyncConnection, caller: Principal, tenant_id: str
) -> tuple[Principal, Tenant]:
    """Return the operator as who acts for a tenant by its id or slug, and the tenant.

    Raises ``NotFound``. What is then done is recorded as the operator's.
    """
    tenant = await find_tenant(connection, tenant_id)
    return caller.acting_for(tenant.id), tenant


async def named_tenant(connection: AsyncConnection, caller: Principal, named: str | None) -> Tenant:
    """Return the tenant that an operator names, or the one that they are signed in to.

    Raises ``NotFound`` if there is no such tenant, ``InvalidInput`` if none is named.
    """
    wanted = named or caller.tenant_id
    if not wanted:
        raise TenantNotNamed()
    return await find_tenant(connection, wanted)
