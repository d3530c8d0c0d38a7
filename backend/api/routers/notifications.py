"""Notifications, for the operator."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends

from backend.accounts.audit.writing import record
from backend.accounts.principal import Permission, Principal
from backend.accounts.tenants import find_tenant
from backend.api.dependencies import (
    IdempotencyKey,
    PageCursor,
    PageLimit,
    ServicesNow,
    needs,
)
from backend.api.parameters import NamedTenant, one_of, several
from backend.api.path_parameters import NotificationId
from backend.api.tenant_scope import named_tenant
from backend.ids import new_id
from backend.outbox.queries import find_notification, list_notifications, resend
from backend.outbox.trying import send_test
from backend_client.types.common import Page
from backend_client.types.notifications import (
    Notification,
    NotificationKind,
    NotificationResend,
    NotificationState,
    NotificationTest,
)

router = APIRouter(tags=["operator"])

OperatorReader = Annotated[Principal, Depends(needs(Permission.OPERATE_READ))]
Admin = Annotated[Principal, Depends(needs(Permission.OPERATE_ADMIN))]


@router.get("/v1/notifications")
async def get_notifications(
    services: ServicesNow,
    caller: OperatorReader,
    tenant: NamedTenant = None,
    kind: Annotated[
        tuple[NotificationKind, ...], several("Only notifications of these kinds.")
    ] = (),
    state: Annotated[NotificationState | None, one_of("Only notifications in this state.")] = None,
    cursor: PageCursor = None,
    limit: PageLimit = 50,
) -> Page[Notification]:
    """List notifications with their deliveries, newest first."""
    async with services.database.begin() as connection:
        whose = None if tenant is None else (await find_tenant(connection, tenant)).id
        return await list_notifications(
            connection, tenant_id=whose, kinds=kind, state=state, cursor=cursor, limit=limit
        )


@router.post("/v1/notifications/test", status_code=202)
async def post_test(
    services: ServicesNow,
    caller: Admin,
    wanted: NotificationTest,
    idempotency_key: IdempotencyKey = None,
) -> Notification:
    """Send a test event to your endpoint, to see that it arrives and that its signature is good.

    It goes the way of every other: with retries, and on record. Customers get no letter.
    """
    async with services.database.begin() as connection:
        tenant = await named_tenant(connection, caller, wanted.tenant)
        subject = idempotency_key or new_id("req")
        now = datetime.now(UTC)
        sent = await send_test(connection, tenant.id, subject, now)
        if sent.event.timestamp == now:  # else it is that of a request before this
            await record(connection, caller, "notification.test", sent.id, tenant_id=tenant.id)
        return sent


@router.get("/v1/notifications/{notification_id}")
async def get_notification(
    services: ServicesNow, caller: OperatorReader, notification_id: NotificationId
) -> Notification:
    """Return a notification, with its event and deliveries."""
    async with services.database.begin() as connection:
        return await find_notification(connection, notification_id)


@router.post("/v1/notifications/{notification_id}/resend", status_code=202)
async def post_resend(
    services: ServicesNow,
    caller: Admin,
    notification_id: NotificationId,
    wanted: NotificationResend,
) -> Notification:
    """Send it again, under the same id: over the named channel, or all that did not deliver it.

    One that was never routed goes to the channels that the worker has now. Answers 409 if all is
    delivered and no channel is named.
    """
    async with services.database.begin() as connection:
        queued = await resend(connection, notification_id, wanted.channel, datetime.now(UTC))
        tenant_id = queued.event.tenant_id
        detail: dict[str, object] = wanted.model_dump(mode="json", exclude_none=True)
        await record(
            connection,
            caller,
            "notification.resend",
            notification_id,
            tenant_id=tenant_id,
            detail=detail,
        )
        return queued
