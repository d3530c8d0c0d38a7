"""The tenant's plan."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel

from backend.accounts.audit.writing import record
from backend.accounts.clocks import now_of, tenant_now
from backend.accounts.principal import Permission, Principal
from backend.accounts.tenants import find_tenant
from backend.api.dependencies import ServicesNow, needs
from backend.api.path_parameters import TenantId
from backend.api.tenant_scope import customer
from backend.spend.previewing import preview_change
from backend.spend.report import period_of
from backend.subscriptions.changes import cancel, change_plan, pause, resume
from backend.subscriptions.periods import set_anchor
from backend.subscriptions.queries import current_subscription
from backend_client.types.spend import Period
from backend_client.types.subscription_preview import SubscriptionPreview
from backend_client.types.subscriptions import (
    BillingAnchor,
    Subscription,
    SubscriptionCancel,
    SubscriptionChange,
    SubscriptionPause,
)

router = APIRouter(tags=["subscription"])

Reader = Annotated[Principal, Depends(needs(Permission.USAGE_READ))]
Biller = Annotated[Principal, Depends(needs(Permission.OPERATE_BILLING))]
Changer = Annotated[Principal, Depends(needs(Permission.SUBSCRIPTION_WRITE))]


def _as_audited(wanted: BaseModel) -> dict[str, object]:
    return wanted.model_dump(mode="json", exclude_none=True)


@router.get("/v1/subscription")
async def get_subscription(services: ServicesNow, caller: Reader) -> Subscription:
    """Return the plan in force, and the one that follows it if a change is scheduled."""
    async with services.database.begin() as connection:
        return await current_subscription(
            connection, caller.tenant_id, await tenant_now(connection, caller.tenant_id)
        )


@router.put("/v1/subscription")
async def put_subscription(
    services: ServicesNow, caller: Changer, change: SubscriptionChange
) -> Subscription:
    """Move to a plan, at the next quarter hour unless ``at`` says when.

    Where a billing platform rates the usage, at the next billing period instead.

    Returns the subscription that starts then. A change scheduled for that time or later is dropped.
    Choosing the plan in force keeps it.
    """
    async with services.database.begin() as connection:
        changed = await change_plan(
            connection,
            caller.tenant_id,
            change,
            await tenant_now(connection, caller.tenant_id),
            by_operator=Permission.OPERATE_BILLING in caller.permissions,
        )
        await record(connection, caller, "subscription.set", changed.id, detail=_as_audited(change))
        return changed


@router.post("/v1/subscription/preview")
async def post_preview(
    services: ServicesNow, caller: Changer, change: SubscriptionChange
) -> SubscriptionPreview:
    """Return what a change of plan would do to the present period, without making it.

    It is refused for what the change itself would be refused for.
    """
    async with services.database.begin() as connection:
        tenant = await find_tenant(connection, caller.tenant_id)
        by_operator = Permission.OPERATE_BILLING in caller.permissions
        now = now_of(tenant)
        return await preview_change(connection, tenant, change, now, by_operator=by_operator)


@router.post("/v1/tenants/{tenant_id}/subscription/preview")
async def post_tenants_preview(
    services: ServicesNow, caller: Biller, tenant_id: TenantId, change: SubscriptionChange
) -> SubscriptionPreview:
    """Return what a change of a tenant's plan would do to its present period, without it."""
    async with services.database.begin() as connection:
        _, tenant = await customer(connection, caller, tenant_id)
        now = now_of(tenant)
        return await preview_change(connection, tenant, change, now, by_operator=True)


@router.post("/v1/subscription/pause")
async def post_pause(
    services: ServicesNow, caller: Changer, wanted: SubscriptionPause
) -> Subscription:
    """Pause at the next quarter hour or a later one: no fee runs, and calls are refused."""
    async with services.database.begin() as connection:
        changed = await pause(
            connection, caller.tenant_id, wanted, await tenant_now(connection, caller.tenant_id)
        )
        await record(
            connection, caller, "subscription.pause", changed.id, detail=_as_audited(wanted)
        )
        return changed


@router.post("/v1/subscription/resume")
async def post_resume(services: ServicesNow, caller: Changer) -> Subscription:
    """Resume a paused subscription, from the next quarter hour."""
    async with services.database.begin() as connection:
        changed = await resume(
            connection, caller.tenant_id, await tenant_now(connection, caller.tenant_id)
        )
        await record(connection, caller, "subscription.resume", changed.id)
        return changed


@router.post("/v1/subscription/cancel")
async def post_cancel(
    services: ServicesNow, caller: Changer, wanted: SubscriptionCancel
) -> Subscription:
    """End the subscription with its billing period, the year of its fees, or now.

    Choosing a plan revokes the cancellation.
    """
    async with services.database.begin() as connection:
        changed = await cancel(
            connection, caller.tenant_id, wanted, await tenant_now(connection, caller.tenant_id)
        )
        await record(
            connection, caller, "subscription.cancel", changed.id, detail=_as_audited(wanted)
        )
        return changed


@router.put("/v1/tenants/{tenant_id}/subscription")
async def put_tenants_subscription(
    services: ServicesNow, caller: Biller, tenant_id: TenantId, change: SubscriptionChange
) -> Subscription:
    """Move a tenant to a plan, also to one by contract, or agree prices of its own with it.

    Its own prices become a version of the plan for this tenant alone, so that each bill keeps the
    prices that it was made by.
    """
    async with services.database.begin() as connection:
        operator, tenant = await customer(connection, caller, tenant_id)
        changed = await change_plan(connection, tenant.id, change, now_of(tenant), by_operator=True)
        await record(
            connection, operator, "subscription.set", changed.id, detail=_as_audited(change)
        )
        return changed


@router.put("/v1/tenants/{tenant_id}/billing-anchor")
async def put_billing_anchor(
    services: ServicesNow, caller: Biller, tenant_id: TenantId, wanted: BillingAnchor
) -> Period:
    """Set the day of the month that the tenant's billing periods begin with; return the first.

    The current period ends as planned; the next one is cut short.
    """
    async with services.database.begin() as connection:
        tenant = await find_tenant(connection, tenant_id)
        first = await set_anchor(connection, tenant, wanted.day, now_of(tenant))
        detail: dict[str, object] = {"day": wanted.day}
        await record(
            connection, caller, "billing_anchor.set", tenant.id, tenant_id=tenant.id, detail=detail
        )
        return period_of(first)
