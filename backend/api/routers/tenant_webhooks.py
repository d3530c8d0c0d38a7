"""A tenant's webhooks as the operator looks at them: what waits there, and what failed."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends

from backend.accounts.principal import Permission, Principal
from backend.api.dependencies import PageCursor, PageLimit, ServicesNow, needs
from backend.api.parameters import one_of
from backend.api.path_parameters import TenantId, WebhookId
from backend.api.tenant_scope import customer
from backend.webhooks.endpoints import find_webhook, list_tenant_webhooks
from backend.webhooks.queries import list_deliveries
from backend_client.types.common import Page
from backend_client.types.notifications import NotificationKind
from backend_client.types.webhooks import TenantWebhook, WebhookDelivery, WebhookDeliveryState

router = APIRouter(tags=["operator"])

Reader = Annotated[Principal, Depends(needs(Permission.OPERATE_READ))]

_WEBHOOKS = "/v1/tenants/{tenant_id}/webhooks"


@router.get(_WEBHOOKS)
async def get_tenant_webhooks(
    services: ServicesNow,
    caller: Reader,
    tenant_id: TenantId,
    cursor: PageCursor = None,
    limit: PageLimit = 50,
) -> Page[TenantWebhook]:
    """List a tenant's endpoints, oldest first, with how many events wait there and how many failed.

    Their secrets are shown to nobody, and the tenant alone changes them.
    """
    async with services.database.begin() as connection:
        _, tenant = await customer(connection, caller, tenant_id)
        return await list_tenant_webhooks(connection, tenant.id, cursor=cursor, limit=limit)


@router.get(_WEBHOOKS + "/{webhook_id}/deliveries")
async def get_tenant_webhook_deliveries(
    services: ServicesNow,
    caller: Reader,
    tenant_id: TenantId,
    webhook_id: WebhookId,
    kind: Annotated[NotificationKind | None, one_of("Only of events of this kind.")] = None,
    state: Annotated[WebhookDeliveryState | None, one_of("Only deliveries in this state.")] = None,
    cursor: PageCursor = None,
    limit: PageLimit = 50,
) -> Page[WebhookDelivery]:
    """List what a tenant's endpoint was or is to be sent, the newest event first."""
    async with services.database.begin() as connection:
        _, tenant = await customer(connection, caller, tenant_id)
        await find_webhook(connection, tenant.id, webhook_id)
        return await list_deliveries(
            connection, tenant.id, webhook_id, kind=kind, state=state, cursor=cursor, limit=limit
        )
