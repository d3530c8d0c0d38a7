"""Events that ingest refused: a tenant's own, and for the operator all."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Depends, Query

from backend.accounts.principal import Permission, Principal
from backend.accounts.tenants import find_tenant
from backend.api.dependencies import PageCursor, PageLimit, ServicesNow, needs
from backend.api.path_parameters import TenantId
from backend.metering.refusals.queries import list_refused
from backend_client.types.common import Page
from backend_client.types.refused_events import RefusedEvents

router = APIRouter(tags=["events"])

Day = Annotated[
    date | None,
    Query(
        description="Only what was refused on this day (YYYY-MM-DD, UTC). If left out, all days."
    ),
]
Operator = Annotated[Principal, Depends(needs(Permission.OPERATE_READ))]


@router.get("/v1/refused-events")
async def get_refused_events(
    services: ServicesNow,
    caller: Annotated[Principal, Depends(needs(Permission.USAGE_READ))],
    day: Day = None,
    cursor: PageCursor = None,
    limit: PageLimit = 50,
) -> Page[RefusedEvents]:
    """List the tenant's events that were refused, by day and reason, the newest day first.

    Some seconds after they were sent. They are listed for two weeks, or as long as the operator
    keeps them.
    """
    async with services.database.begin() as connection:
        return await list_refused(
            connection,
            tenant_id=caller.tenant_id,
            day=day,
            cursor=cursor,
            limit=limit,
            with_operators_credentials=False,
        )


@router.get("/v1/tenants/{tenant_id}/refused-events")
async def get_tenant_refused_events(
    services: ServicesNow,
    caller: Operator,
    tenant_id: TenantId,
    day: Day = None,
    cursor: PageCursor = None,
    limit: PageLimit = 50,
) -> Page[RefusedEvents]:
    """List a tenant's events that were refused, by day and reason; for the operator."""
    async with services.database.begin() as connection:
        tenant = await find_tenant(connection, tenant_id)
        return await list_refused(
            connection, tenant_id=tenant.id, day=day, cursor=cursor, limit=limit
        )


@router.get("/v1/pipeline/refused-events")
async def get_all_refused_events(
    services: ServicesNow,
    caller: Operator,
    day: Day = None,
    cursor: PageCursor = None,
    limit: PageLimit = 50,
) -> Page[RefusedEvents]:
    """List refused events of all tenants, and those that named none; for the operator."""
    async with services.database.begin() as connection:
        return await list_refused(connection, tenant_id=None, day=day, cursor=cursor, limit=limit)
