"""Billing platforms: their webhooks; for the operator, who is on which and what is behind."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from backend.accounts.audit.writing import record
from backend.accounts.principal import Permission, Principal
from backend.accounts.tenants import find_tenant
from backend.api.dependencies import PageCursor, PageLimit, ServicesNow, needs
from backend.api.parameters import NamedTenant, one_of
from backend.api.path_parameters import DispatchId, PlanId, Platform, TenantId
from backend.catalog.published import latest_plan
from backend.platforms.configured import adapter_of
from backend.platforms.connections import (
    backfill,
    compare_soon,
    connect,
    disconnect,
    list_connections,
)
from backend.platforms.errors import PlatformUnknown
from backend.platforms.queries import (
    list_all_connections,
    list_cursors,
    list_dispatches,
    list_drift,
    list_remote_objects,
    platform_statuses,
    replay,
    skip,
)
from backend.platforms.receiving.inbox import store_message
from backend_client.types.common import Page
from backend_client.types.platforms import (
    Dispatch,
    DispatchSkip,
    DispatchState,
    PlanFit,
    PlatformBackfill,
    PlatformBackfilled,
    PlatformConnect,
    PlatformConnection,
    PlatformCursor,
    PlatformDrift,
    PlatformStatus,
    RemoteObject,
)

router = APIRouter(tags=["operator"])

OperatorReader = Annotated[Principal, Depends(needs(Permission.OPERATE_READ))]
Biller = Annotated[Principal, Depends(needs(Permission.OPERATE_BILLING))]

_TENANT = "/v1/tenants/{tenant_id}/platforms"


@router.post("/v1/platforms/{platform}/webhook", tags=["platforms"], response_class=Response)
async def post_webhook(services: ServicesNow, platform: Platform, request: Request) -> Response:
    """Take a platform's webhook, which it has signed: it is stored at once, and applied later.

    What is repeated is one message. 400 if the signature is missing, wrong or old.
    """
    adapter = services.platforms.get(platform)
    if adapter is None:
        raise PlatformUnknown()
    now = datetime.now(UTC)
    message = adapter.verify(request.headers, await request.body(), now)
    async with services.database.begin() as connection:
        await store_message(connection, platform, message, now)
    return Response(status_code=200)


@router.get("/v1/platforms")
async def get_platforms(services: ServicesNow, caller: OperatorReader) -> list[PlatformStatus]:
    """List the platforms, how much waits for each, and what differs."""
    async with services.database.begin() as connection:
        return await platform_statuses(connection, services.platforms, datetime.now(UTC))


@router.get("/v1/platforms/{platform}/cursors")
async def get_cursors(
    services: ServicesNow,
    caller: OperatorReader,
    platform: Platform,
    cursor: PageCursor = None,
    limit: PageLimit = 50,
) -> Page[PlatformCursor]:
    """List how far each tenant's streams are sent to a platform."""
    async with services.database.begin() as connection:
        return await list_cursors(connection, platform, cursor=cursor, limit=limit)


@router.get("/v1/platforms/{platform}/plans/{plan_id}")
async def get_plan_fit(
    services: ServicesNow, caller: OperatorReader, platform: Platform, plan_id: PlanId
) -> PlanFit:
    """Tell whether a platform can rate a plan's usage itself; if not, which charge it can't."""
    adapter = adapter_of(services.platforms, platform)
    async with services.database.begin() as connection:
        plan = (await latest_plan(connection, plan_id)).definition
    obstacles = adapter.obstacles(plan, plan.currency)
    return PlanFit(plan=plan.id, platform=platform, obstacles=obstacles)


@router.get("/v1/platform-dispatches")
async def get_dispatches(
    services: ServicesNow,
    caller: OperatorReader,
    tenant: NamedTenant = None,
    state: Annotated[DispatchState | None, one_of("Only dispatches in this state.")] = None,
    cursor: PageCursor = None,
    limit: PageLimit = 50,
) -> Page[Dispatch]:
    """List what is sent to platforms, newest first: refused dispatches wait for a replay."""
    async with services.database.begin() as connection:
        whose = None if tenant is None else (await find_tenant(connection, tenant)).id
        return await list_dispatches(
            connection, tenant_id=whose, state=state, cursor=cursor, limit=limit
        )


@router.post("/v1/platform-dispatches/{dispatch_id}/replay", status_code=202)
async def post_replay(services: ServicesNow, caller: Biller, dispatch_id: DispatchId) -> Dispatch:
    """Send again what was refused, once its cause is mended. It keeps its identity."""
    async with services.database.begin() as connection:
        again = await replay(connection, dispatch_id, datetime.now(UTC))
        tenant = await find_tenant(connection, again.tenant_id)
        await record(connection, caller, "platform.replay", dispatch_id, tenant_id=tenant.id)
        return again


@router.post("/v1/platform-dispatches/{dispatch_id}/skip")
async def post_skip(
    services: ServicesNow, caller: Biller, dispatch_id: DispatchId, wanted: DispatchSkip
) -> Dispatch:
    """Leave out what was refused, and say why: what waits for it goes on.

    The difference shows as drift. It can be sent again later.
    """
    async with services.database.begin() as connection:
        skipped = await skip(connection, dispatch_id, wanted.reason)
        await record(
            connection,
            caller,
            "platform.skip",
            dispatch_id,
            tenant_id=skipped.tenant_id,
            detail=wanted.model_dump(mode="json"),
        )
        return skipped


@router.get("/v1/platform-connections")
async def get_connections(
    services: ServicesNow, caller: OperatorReader, cursor: PageCursor = None, limit: PageLimit = 50
) -> Page[PlatformConnection]:
    """List which platform collects from which tenant, now or later."""
    async with services.database.begin() as connection:
        return await list_all_connections(connection, datetime.now(UTC), cursor=cursor, limit=limit)


@router.get("/v1/platform-drift")
async def get_drift(
    services: ServicesNow,
    caller: OperatorReader,
    tenant: NamedTenant = None,
    cursor: PageCursor = None,
    limit: PageLimit = 50,
) -> Page[PlatformDrift]:
    """List what a platform has otherwise than Farebox, with the cause."""
    async with services.database.begin() as connection:
        whose = None if tenant is None else (await find_tenant(connection, tenant)).id
        return await list_drift(connection, tenant_id=whose, cursor=cursor, limit=limit)


@router.get(_TENANT)
async def get_tenant_platforms(
    services: ServicesNow, caller: OperatorReader, tenant_id: TenantId
) -> list[PlatformConnection]:
    """List which platforms collect or collected from a tenant, newest first."""
    async with services.database.begin() as connection:
        tenant = await find_tenant(connection, tenant_id)
        return await list_connections(connection, tenant.id)


@router.put(_TENANT)
async def put_tenant_platform(
    services: ServicesNow, caller: Biller, tenant_id: TenantId, wanted: PlatformConnect
) -> PlatformConnection:
    """Have a platform collect from a tenant, from an instant on; it may be repeated.

    Where the platform rates usage itself, 409 names each charge that it can't.
    """
    adapter = adapter_of(services.platforms, wanted.platform.value)
    async with services.database.begin() as connection:
        connected = await connect(connection, tenant_id, wanted, adapter, datetime.now(UTC))
        await record(
            connection,
            caller,
            "platform.connect",
            connected.tenant_id,
            tenant_id=connected.tenant_id,
            detail=wanted.model_dump(mode="json"),
        )
        return connected


@router.delete(_TENANT, status_code=204)
async def delete_tenant_platform(
    services: ServicesNow, caller: Biller, tenant_id: TenantId
) -> None:
    """Have no platform collect from a tenant from now on. Usage ends with its billing period."""
    async with services.database.begin() as connection:
        tenant = await find_tenant(connection, tenant_id)
        await disconnect(connection, tenant.id, datetime.now(UTC))
        await record(connection, caller, "platform.disconnect", tenant.id, tenant_id=tenant.id)


@router.get(_TENANT + "/objects")
async def get_objects(
    services: ServicesNow,
    caller: OperatorReader,
    tenant_id: TenantId,
    cursor: PageCursor = None,
    limit: PageLimit = 50,
) -> Page[RemoteObject]:
    """List what platforms call a tenant's customer, invoices, meters and the like."""
    async with services.database.begin() as connection:
        tenant = await find_tenant(connection, tenant_id)
        return await list_remote_objects(connection, tenant.id, cursor=cursor, limit=limit)


@router.post(_TENANT + "/compare", status_code=202)
async def post_compare(services: ServicesNow, caller: Biller, tenant_id: TenantId) -> None:
    """Have both sides compared now rather than with the day's pass: the drift shows the result."""
    async with services.database.begin() as connection:
        tenant = await find_tenant(connection, tenant_id)
        await compare_soon(connection, tenant.id)
        await record(connection, caller, "platform.compare", tenant.id, tenant_id=tenant.id)


@router.post(_TENANT + "/backfill", status_code=202)
async def post_backfill(
    services: ServicesNow, caller: Biller, tenant_id: TenantId, wanted: PlatformBackfill
) -> PlatformBackfilled:
    """Queue the open invoices since an instant that the platform does not have."""
    async with services.database.begin() as connection:
        tenant = await find_tenant(connection, tenant_id)
        queued = await backfill(connection, tenant.id, wanted.since, datetime.now(UTC))
        detail: dict[str, object] = {"since": wanted.since.isoformat(), "queued": queued}
        await record(
            connection, caller, "platform.backfill", tenant.id, tenant_id=tenant.id, detail=detail
        )
        return PlatformBackfilled(queued=queued)
