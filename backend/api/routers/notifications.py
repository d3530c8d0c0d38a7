"""Notifications, for the operator."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from sqlalchemy import select

from backend.accounts.audit import record
from backend.accounts.principal import Permission, Principal
from backend.accounts.tenants import find_tenant
from backend.api.dependencies import PageCursor, PageLimit, ServicesNow, needs
from backend.outbox.queries import find_notification, list_notifications, resend
from backend.storage.tables import tenants
from backend_client.types.common import Page
from backend_client.types.notifications import (
    Notification,
    NotificationKind,
    NotificationResend,
    NotificationState,
)

router = APIRouter(tags=["operator"])

Operator = Annotated[Principal, Depends(needs(Permission.OPERATE))]


@router.get("/v1/notifications")
async def get_notifications(
    services: ServicesNow,
    caller: Operator,
    tenant: Annotated[str | None, Query(description="A tenant's id or slug")] = None,
    kind: Annotated[tuple[NotificationKind, ...], Query()] = (),
    state: NotificationState | None = None,
    cursor: PageCursor = None,
    limit: PageLimit = 50,
) -> Page[Notification]:
    """List notifications with their deliveries, newest first."""
    async with services.database.begin() as connection:
        whose = None if tenant is None else (await find_tenant(connection, tenant)).id
        return await list_notifications(
            connection, tenant_id=whose, kinds=kind, state=state, cursor=cursor, limit=limit
        )


@router.get("/v1/notifications/{notification_id}")
async def get_notification(
    services: ServicesNow, caller: Operator, notification_id: str
) -> Notification:
    """Return a notification, with its event and deliveries."""
    async with services.database.begin() as connection:
        return await find_notification(connection, notification_id)


@router.post("/v1/notifications/{notification_id}/resend", status_code=202)
async def post_resend(
    services: ServicesNow, caller: Operator, notification_id: str, wanted: NotificationResend
) -> Notification:
    """Send it again, under the same id: over the named channel, or all that did not deliver it.

    One that was never routed goes to the channels that the worker has now. Answers 409 if all is
    delivered and no channel is named.
    """
    async with services.database.begin() as connection:
        queued = await resend(connection, notification_id, wanted.channel, datetime.now(UTC))
        tenant_id = queued.event.tenant_id
        # Its tenant may be deleted, and the audit log with it
        if await connection.scalar(select(tenants.c.id).where(tenants.c.id == tenant_id)):
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
