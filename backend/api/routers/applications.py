"""The tenant's applications."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends

from backend.accounts.applications import change_application, create_application, list_applications
from backend.accounts.clocks import now_of
from backend.accounts.principal import Permission, Principal
from backend.accounts.tenants import find_tenant
from backend.api.dependencies import (
    IdempotencyKey,
    PageCursor,
    PageLimit,
    ServicesNow,
    needs,
)
from backend.api.path_parameters import ApplicationId, TenantId
from backend.budgets.use import budget_of_application
from backend.gateway.limits.use import limit_uses
from backend_client.types.accounts import Application, ApplicationChange, ApplicationCreate
from backend_client.types.common import Page
from backend_client.types.limits import KeyBudgetUse, LimitUse

router = APIRouter(tags=["accounts"])


@router.get("/v1/applications")
async def get_applications(
    services: ServicesNow,
    caller: Annotated[Principal, Depends(needs(Permission.USAGE_READ))],
    cursor: PageCursor = None,
    limit: PageLimit = 50,
) -> Page[Application]:
    """List applications, oldest first."""
    async with services.database.begin() as connection:
        return await list_applications(connection, caller.tenant_id, cursor=cursor, limit=limit)


@router.get("/v1/tenants/{tenant_id}/applications")
async def get_tenant_applications(
    services: ServicesNow,
    caller: Annotated[Principal, Depends(needs(Permission.OPERATE_READ))],
    tenant_id: TenantId,
    cursor: PageCursor = None,
    limit: PageLimit = 50,
) -> Page[Application]:
    """List a tenant's applications, oldest first; for the operator."""
    async with services.database.begin() as connection:
        tenant = await find_tenant(connection, tenant_id)
        return await list_applications(connection, tenant.id, cursor=cursor, limit=limit)


@router.post("/v1/applications", status_code=201)
async def post_application(
    services: ServicesNow,
    caller: Annotated[Principal, Depends(needs(Permission.APPLICATIONS_WRITE))],
    wanted: ApplicationCreate,
    idempotency_key: IdempotencyKey = None,
) -> Application:
    """Create an application."""
    async with services.database.begin() as connection:
        return await create_application(
            connection, caller.tenant_id, wanted, idempotency_key=idempotency_key, by=caller
        )


@router.patch("/v1/applications/{application_id}")
async def patch_application(
    services: ServicesNow,
    caller: Annotated[Principal, Depends(needs(Permission.APPLICATIONS_WRITE))],
    application_id: ApplicationId,
    change: ApplicationChange,
) -> Application:
    """Change an application's name, limits and budget, archive it, or take it back.

    Usage and invoices keep what it was. An archived one gets no new keys; one whose keys still work
    can't be archived. Limits hold all its keys together, within a second on every replica, and
    beside those of each key and of the plan: the tightest refuses.
    """
    async with services.database.begin() as connection:
        now = datetime.now(UTC)
        return await change_application(connection, caller, application_id, change, now)


@router.get("/v1/applications/{application_id}/limits")
async def get_application_limits(
    services: ServicesNow,
    caller: Annotated[Principal, Depends(needs(Permission.USAGE_READ))],
    application_id: ApplicationId,
) -> Page[LimitUse]:
    """List an application's limits with what is left of each now."""
    async with services.database.begin() as connection:
        return Page(items=await limit_uses(connection, caller.tenant_id, application_id))


@router.get("/v1/applications/{application_id}/budget")
async def get_application_budget(
    services: ServicesNow,
    caller: Annotated[Principal, Depends(needs(Permission.SPEND_READ))],
    application_id: ApplicationId,
) -> KeyBudgetUse:
    """Return what is used of an application's budget, exact; 404 if it has none."""
    async with services.database.begin() as connection:
        tenant = await find_tenant(connection, caller.tenant_id)
        return await budget_of_application(connection, tenant, application_id, now_of(tenant))


@router.get("/v1/tenants/{tenant_id}/applications/{application_id}/budget")
async def get_tenants_application_budget(
    services: ServicesNow,
    caller: Annotated[Principal, Depends(needs(Permission.OPERATE_READ))],
    tenant_id: TenantId,
    application_id: ApplicationId,
) -> KeyBudgetUse:
    """Return what is used of the budget of a tenant's application; for the operator."""
    async with services.database.begin() as connection:
        tenant = await find_tenant(connection, tenant_id)
        return await budget_of_application(connection, tenant, application_id, now_of(tenant))


@router.get("/v1/tenants/{tenant_id}/applications/{application_id}/limits")
async def get_tenants_application_limits(
    services: ServicesNow,
    caller: Annotated[Principal, Depends(needs(Permission.OPERATE_READ))],
    tenant_id: TenantId,
    application_id: ApplicationId,
) -> Page[LimitUse]:
    """List the limits of a tenant's application with what is left; for the operator."""
    async with services.database.begin() as connection:
        tenant = await find_tenant(connection, tenant_id)
        return Page(items=await limit_uses(connection, tenant.id, application_id))
