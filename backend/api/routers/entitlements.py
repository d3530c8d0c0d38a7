"""What a tenant is entitled to: models, limits, quotas and features."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends

from backend.accounts.clocks import now_of
from backend.accounts.principal import Permission, Principal
from backend.accounts.tenants import find_tenant
from backend.api.dependencies import ServicesNow, needs
from backend.api.path_parameters import TenantId
from backend.quotas.entitlements import entitlements
from backend_client.types.entitlements import Entitlements

router = APIRouter(tags=["subscription"])


@router.get("/v1/entitlements")
async def get_entitlements(
    services: ServicesNow, caller: Annotated[Principal, Depends(needs(Permission.USAGE_READ))]
) -> Entitlements:
    """Return what the tenant may do now, and what is used of its quotas."""
    async with services.database.snapshot() as connection:
        tenant = await find_tenant(connection, caller.tenant_id)
        return await entitlements(connection, tenant, now_of(tenant))


@router.get("/v1/tenants/{tenant_id}/entitlements")
async def get_tenant_entitlements(
    services: ServicesNow,
    caller: Annotated[Principal, Depends(needs(Permission.OPERATE_READ))],
    tenant_id: TenantId,
) -> Entitlements:
    """Return what a tenant may do now; for the operator's own programs."""
    async with services.database.snapshot() as connection:
        tenant = await find_tenant(connection, tenant_id)
        return await entitlements(connection, tenant, now_of(tenant))
