"""For which tenant the operator acts."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncConnection

from backend.accounts.principal import Principal
from backend.accounts.tenants import find_tenant
from backend.errors import InvalidInput
from backend_client.types.accounts import Tenant
from backend_client.types.problems import FieldError


async def named_tenant(connection: AsyncConnection, caller: Principal, named: str | None) -> Tenant:
    """Return the tenant that an operator names, or the one that they are signed in to.

    Raises ``NotFound`` if there is no such tenant, ``InvalidInput`` if none is meant.
    """
    wanted = named or caller.tenant_id
    if not wanted:
        raise InvalidInput(
            "An operator's key acts for no tenant: name one.",
            errors=[FieldError(field="tenant", detail="give its id or slug")],
        )
    return await find_tenant(connection, wanted)
