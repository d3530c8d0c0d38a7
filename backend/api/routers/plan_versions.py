"""A plan's versions, for the operator: differences, and moving tenants to the latest."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query

from backend.accounts.principal import Permission, Principal
from backend.api.dependencies import PageCursor, PageLimit, ServicesNow, needs
from backend.api.path_parameters import PlanId
from backend.spend.plan_moves import diff_versions, list_versions, migrate_plan
from backend_client.types.common import Page
from backend_client.types.plan_versions import MigratedTenant, MigrationRequest, PlanDiff
from backend_client.types.plans import Plan

router = APIRouter(tags=["catalog"])

OperatorReader = Annotated[Principal, Depends(needs(Permission.OPERATE_READ))]
Biller = Annotated[Principal, Depends(needs(Permission.OPERATE_BILLING))]


@router.get("/v1/plans/{plan_id}/versions")
async def get_versions(
    services: ServicesNow, caller: OperatorReader, plan_id: PlanId
) -> Page[Plan]:
    """List all versions of a plan, oldest first."""
    async with services.database.begin() as connection:
        return Page(items=await list_versions(connection, plan_id))


@router.get("/v1/plans/{plan_id}/diff")
async def get_diff(
    services: ServicesNow,
    caller: OperatorReader,
    plan_id: PlanId,
    before: Annotated[int, Query(ge=1, description="The number of the version to compare from.")],
    after: Annotated[int, Query(ge=1, description="The number of the version to compare to.")],
) -> PlanDiff:
    """Return what changed between two versions of a plan."""
    async with services.database.begin() as connection:
        return await diff_versions(connection, plan_id, before, after)


@router.post("/v1/plans/{plan_id}/migrations")
async def post_migration(
    services: ServicesNow,
    caller: Biller,
    plan_id: PlanId,
    wanted: MigrationRequest,
    cursor: PageCursor = None,
    limit: PageLimit = 50,
) -> Page[MigratedTenant]:
    """Move tenants on older versions to the latest, a page at a time; or preview their bills."""
    now = datetime.now(UTC)
    return await migrate_plan(
        services.database, plan_id, wanted, now, caller=caller, cursor=cursor, limit=limit
    )
