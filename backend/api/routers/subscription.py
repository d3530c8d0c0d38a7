"""The tenant's plan."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends

from backend.accounts.principal import Permission, Principal
from backend.api.dependencies import ServicesNow, needs
from backend.billing.subscriptions import change_plan, current_subscription
from backend_client.types.plans import Subscription, SubscriptionChange

router = APIRouter(tags=["subscription"])

Reader = Annotated[Principal, Depends(needs(Permission.USAGE_READ))]
Changer = Annotated[Principal, Depends(needs(Permission.SUBSCRIPTION_WRITE))]


@router.get("/v1/subscription")
async def get_subscription(services: ServicesNow, caller: Reader) -> Subscription:
    """Return the plan in force, and the one that follows it if a change is scheduled."""
    async with services.database.begin() as connection:
        return await current_subscription(connection, caller.tenant_id, datetime.now(UTC))


@router.put("/v1/subscription")
async def put_subscription(
    services: ServicesNow, caller: Changer, change: SubscriptionChange
) -> Subscription:
    """Move to a plan, at the next quarter hour unless ``at`` says when. Returns what starts then.

    A change scheduled before for that time or later is dropped. Choosing the plan in force keeps
    it on.
    """
    async with services.database.begin() as connection:
        return await change_plan(
            connection,
            caller.tenant_id,
            change,
            datetime.now(UTC),
            by_operator=Permission.OPERATE in caller.permissions,
        )
