"""The caller, and the tenant that it acts for."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends

from backend.accounts.principal import Permission, Principal
from backend.accounts.sessions.sessions import who_is
from backend.accounts.tenants import rename_own_tenant
from backend.api.dependencies import Caller, ServicesNow, needs
from backend_client.types.accounts import Me, OwnTenantChange, Tenant

router = APIRouter(tags=["accounts"])


@router.get("/v1/me")
async def get_me(services: ServicesNow, caller: Caller) -> Me:
    """Return the credential's owner, and the tenant and role that it acts as."""
    async with services.database.begin() as connection:
        return await who_is(connection, caller)


@router.patch("/v1/tenant")
async def patch_own_tenant(
    services: ServicesNow,
    caller: Annotated[Principal, Depends(needs(Permission.TENANT_WRITE))],
    wanted: OwnTenantChange,
) -> Tenant:
    """Rename the organization. Invoices have the name of its billing details."""
    async with services.database.begin() as connection:
        return await rename_own_tenant(connection, caller, wanted)
