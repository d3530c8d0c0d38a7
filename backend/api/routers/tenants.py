"""Tenants, for the operator."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query

from backend.accounts.principal import Permission, Principal
from backend.accounts.tenants import change_tenant, delete_tenant, find_tenant, list_tenants
from backend.api.dependencies import PageCursor, PageLimit, ServicesNow, needs
from backend.api.path_parameters import TenantId
from backend.subscriptions.opening import open_tenant
from backend_client.types.accounts import Tenant, TenantChange, TenantCreate, TenantCreated
from backend_client.types.common import Page

router = APIRouter(tags=["operator"])

OperatorReader = Annotated[Principal, Depends(needs(Permission.OPERATE_READ))]
Admin = Annotated[Principal, Depends(needs(Permission.OPERATE_ADMIN))]


@router.get("/v1/tenants")
async def get_tenants(
    services: ServicesNow,
    caller: OperatorReader,
    search: Annotated[
        str | None,
        Query(
            max_length=200,
            description="Part of the name or the slug, or the whole id. If left out, all tenants.",
            examples=["acme"],
        ),
    ] = None,
    cursor: PageCursor = None,
    limit: PageLimit = 50,
) -> Page[Tenant]:
    """List all tenants, oldest first."""
    async with services.database.begin() as connection:
        return await list_tenants(connection, search=search, cursor=cursor, limit=limit)


@router.post("/v1/tenants", status_code=201)
async def post_tenant(services: ServicesNow, caller: Admin, wanted: TenantCreate) -> TenantCreated:
    """Create a tenant with its first application and its plan. Its slug makes this idempotent.

    With an ``owner`` somebody is invited to own it; the link is in this answer and nowhere else.
    """
    async with services.database.begin() as connection:
        now = datetime.now(UTC)
        return await open_tenant(connection, services.settings, caller, wanted, now)


@router.get("/v1/tenants/{tenant_id}")
async def get_tenant(services: ServicesNow, caller: OperatorReader, tenant_id: TenantId) -> Tenant:
    """Return a tenant by its id or slug."""
    async with services.database.begin() as connection:
        return await find_tenant(connection, tenant_id)


@router.patch("/v1/tenants/{tenant_id}")
async def patch_tenant(
    services: ServicesNow, caller: Admin, tenant_id: TenantId, changes: TenantChange
) -> Tenant:
    """Change a tenant's name, or whether its own keys may send events.

    The latter takes effect within seconds on every replica.
    """
    async with services.database.begin() as connection:
        tenant = await find_tenant(connection, tenant_id)
        return await change_tenant(connection, caller, tenant, changes)


@router.delete("/v1/tenants/{tenant_id}", status_code=204)
async def remove_tenant(services: ServicesNow, caller: Admin, tenant_id: TenantId) -> None:
    """Delete a tenant with all that it has except its invoices. This can't be undone."""
    async with services.database.begin() as connection:
        tenant = await find_tenant(connection, tenant_id)
        await delete_tenant(connection, caller, tenant.id)
