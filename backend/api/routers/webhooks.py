"""The tenant's own webhooks: endpoints, and the log of what each was sent."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends

from backend.accounts.audit.writing import record
from backend.accounts.principal import Permission, Principal
from backend.api.dependencies import IdempotencyKey, PageCursor, PageLimit, ServicesNow, needs
from backend.api.parameters import one_of
from backend.api.path_parameters import NotificationId, WebhookId
from backend.ids import new_id
from backend.webhooks.endpoints import (
    change_webhook,
    create_webhook,
    delete_webhook,
    end_overlap,
    find_webhook,
    list_webhooks,
    rotate_webhook,
)
from backend.webhooks.queries import find_delivery, list_deliveries
from backend.webhooks.routing import replay, resend, send_test
from backend_client.types.common import Page
from backend_client.types.notifications import NotificationKind
from backend_client.types.webhooks import (
    Webhook,
    WebhookChange,
    WebhookCreate,
    WebhookCreated,
    WebhookDelivery,
    WebhookDeliveryDetails,
    WebhookDeliveryState,
    WebhookReplay,
    WebhookReplayed,
    WebhookRotate,
)

router = APIRouter(tags=["webhooks"])

Reader = Annotated[Principal, Depends(needs(Permission.WEBHOOKS_READ))]
Writer = Annotated[Principal, Depends(needs(Permission.WEBHOOKS_WRITE))]

_ONE = "/v1/webhooks/{webhook_id}"


@router.get("/v1/webhooks")
async def get_webhooks(
    services: ServicesNow, caller: Reader, cursor: PageCursor = None, limit: PageLimit = 50
) -> Page[Webhook]:
    """List endpoints, oldest first, disabled ones included."""
    async with services.database.begin() as connection:
        return await list_webhooks(connection, caller.tenant_id, cursor=cursor, limit=limit)


@router.post("/v1/webhooks", status_code=201)
async def post_webhook(
    services: ServicesNow,
    caller: Writer,
    wanted: WebhookCreate,
    idempotency_key: IdempotencyKey = None,
) -> WebhookCreated:
    """Register an endpoint. Its secret is in this answer and nowhere else.

    Each event is a POST of JSON, signed as Standard Webhooks says. The address begins with
    `https://` and leads to a public address.
    """
    async with services.database.begin() as connection:
        return await create_webhook(
            connection,
            services.gateway.sealer,
            services.settings.webhook_networks,
            caller,
            wanted,
            idempotency_key=idempotency_key,
        )


@router.get(_ONE)
async def get_webhook(services: ServicesNow, caller: Reader, webhook_id: WebhookId) -> Webhook:
    """Return an endpoint."""
    async with services.database.begin() as connection:
        return await find_webhook(connection, caller.tenant_id, webhook_id)


@router.patch(_ONE)
async def patch_webhook(
    services: ServicesNow, caller: Writer, webhook_id: WebhookId, change: WebhookChange
) -> Webhook:
    """Change an endpoint's address, description or events; disable it, or enable it again.

    What is left out stays as it is. A disabled endpoint is sent nothing; what it missed can be
    replayed.
    """
    networks = services.settings.webhook_networks
    async with services.database.begin() as connection:
        return await change_webhook(connection, networks, caller, webhook_id, change)


@router.delete(_ONE, status_code=204)
async def delete_one_webhook(services: ServicesNow, caller: Writer, webhook_id: WebhookId) -> None:
    """Remove an endpoint with its secrets and its log."""
    async with services.database.begin() as connection:
        await delete_webhook(connection, caller, webhook_id)


@router.post(f"{_ONE}/rotate")
async def post_webhook_rotation(
    services: ServicesNow, caller: Writer, webhook_id: WebhookId, wanted: WebhookRotate
) -> WebhookCreated:
    """Give an endpoint a new secret, which is in this answer and nowhere else.

    During the grace period each event has two signatures, by the new secret and by the old one.
    With a grace of 0 every earlier secret ends, those of earlier rotations too.
    """
    async with services.database.begin() as connection:
        return await rotate_webhook(
            connection,
            services.gateway.sealer,
            caller,
            webhook_id,
            grace_seconds=wanted.grace_seconds,
        )


@router.delete(f"{_ONE}/previous", status_code=204)
async def delete_previous_webhook_secrets(
    services: ServicesNow, caller: Writer, webhook_id: WebhookId
) -> None:
    """Sign by the present secret alone, from now on."""
    async with services.database.begin() as connection:
        await end_overlap(connection, caller, webhook_id)


@router.post(f"{_ONE}/test", status_code=202)
async def post_webhook_test(
    services: ServicesNow,
    caller: Writer,
    webhook_id: WebhookId,
    idempotency_key: IdempotencyKey = None,
) -> WebhookDeliveryDetails:
    """Send a test event to this endpoint alone, signed, retried and logged like any other."""
    now = datetime.now(UTC)
    subject = idempotency_key or new_id("req")
    async with services.database.begin() as connection:
        webhook = await find_webhook(connection, caller.tenant_id, webhook_id)
        event_id = await send_test(connection, caller.tenant_id, webhook, subject, now)
        delivery = await find_delivery(connection, caller.tenant_id, webhook_id, event_id)
        if delivery.occurred_at == now:  # else it is that of a request before this
            await record(connection, caller, "webhook.test", webhook_id)
        return delivery


@router.post(f"{_ONE}/replay", status_code=202)
async def post_webhook_replay(
    services: ServicesNow, caller: Writer, webhook_id: WebhookId, wanted: WebhookReplay
) -> WebhookReplayed:
    """Send again what happened since a time, under the same ids, as after an outage of yours.

    What was not delivered, what happened while the endpoint was disabled or not yet registered,
    and with `delivered_too` what was delivered.
    """
    now = datetime.now(UTC)
    async with services.database.begin() as connection:
        webhook = await find_webhook(connection, caller.tenant_id, webhook_id)
        queued = await replay(
            connection,
            caller.tenant_id,
            webhook,
            wanted.since,
            now,
            delivered_too=wanted.delivered_too,
        )
        detail = {**wanted.model_dump(mode="json"), "queued": queued}
        await record(connection, caller, "webhook.replay", webhook_id, detail=detail)
        return WebhookReplayed(queued=queued)


@router.get(f"{_ONE}/deliveries")
async def get_webhook_deliveries(
    services: ServicesNow,
    caller: Reader,
    webhook_id: WebhookId,
    kind: Annotated[NotificationKind | None, one_of("Only of events of this kind.")] = None,
    state: Annotated[WebhookDeliveryState | None, one_of("Only deliveries in this state.")] = None,
    cursor: PageCursor = None,
    limit: PageLimit = 50,
) -> Page[WebhookDelivery]:
    """List what an endpoint was or is to be sent, the newest event first."""
    async with services.database.begin() as connection:
        await find_webhook(connection, caller.tenant_id, webhook_id)
        return await list_deliveries(
            connection,
            caller.tenant_id,
            webhook_id,
            kind=kind,
            state=state,
            cursor=cursor,
            limit=limit,
        )


@router.get(f"{_ONE}/deliveries/{{notification_id}}")
async def get_webhook_delivery(
    services: ServicesNow, caller: Reader, webhook_id: WebhookId, notification_id: NotificationId
) -> WebhookDeliveryDetails:
    """Return a delivery: the event as it is sent, and each attempt with what was answered."""
    async with services.database.begin() as connection:
        return await find_delivery(connection, caller.tenant_id, webhook_id, notification_id)


@router.post(f"{_ONE}/deliveries/{{notification_id}}/resend", status_code=202)
async def post_webhook_resend(
    services: ServicesNow, caller: Writer, webhook_id: WebhookId, notification_id: NotificationId
) -> WebhookDeliveryDetails:
    """Send an event to an endpoint again, under the same id."""
    async with services.database.begin() as connection:
        webhook = await find_webhook(connection, caller.tenant_id, webhook_id)
        now = datetime.now(UTC)
        await resend(connection, caller.tenant_id, webhook, notification_id, now)
        detail = {"event": notification_id}
        await record(connection, caller, "webhook.resend", webhook_id, detail=detail)
        return await find_delivery(connection, caller.tenant_id, webhook_id, notification_id)
