"""The log of an endpoint: what it was sent, and how each attempt went."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import RowMapping, Select, and_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.kit.pages import Cursor, page_of
from backend.outbox.events import KNOWN, event_from
from backend.storage.tables import notifications
from backend.storage.tables import webhook_attempts as attempts
from backend.storage.tables import webhook_deliveries as deliveries
from backend.webhooks.errors import WebhookDeliveryNotFound
from backend_client.types.common import Page
from backend_client.types.notifications import NotificationKind
from backend_client.types.webhooks import (
    WebhookAttempt,
    WebhookDelivery,
    WebhookDeliveryDetails,
    WebhookDeliveryState,
)

_MOST_ATTEMPTS: Final = 50
"""Of the latest attempts of a delivery, how many are shown."""


async def list_deliveries(
    connection: AsyncConnection,
    tenant_id: str,
    webhook_id: str,
    *,
    kind: NotificationKind | None = None,
    state: WebhookDeliveryState | None = None,
    cursor: str | None,
    limit: int,
) -> Page[WebhookDelivery]:
    """Return a page of what an endpoint was or is to be sent, the newest event first."""
    query = _deliveries(tenant_id, webhook_id)
    if kind is not None:
        query = query.where(notifications.c.kind == kind.value)
    if state is not None:
        query = query.where(deliveries.c.state == state.value)
    if cursor is not None:
        query = query.where(deliveries.c.notification_id < Cursor.read(cursor))
    query = query.order_by(deliveries.c.notification_id.desc()).limit(limit + 1)
    rows = (await connection.execute(query)).mappings()
    items = [WebhookDelivery.model_validate(_shown(row)) for row in rows]
    return page_of(items, limit, lambda delivery: delivery.event_id)


async def find_delivery(
    connection: AsyncConnection, tenant_id: str, webhook_id: str, event_id: str
) -> WebhookDeliveryDetails:
    """Return a delivery with its event and its attempts; raise ``NotFound``."""
    query = _deliveries(tenant_id, webhook_id).where(deliveries.c.notification_id == event_id)
    row = (await connection.execute(query)).mappings().first()
    if row is None:
        raise WebhookDeliveryNotFound()
    latest = (
        select(attempts)
        .where(
            attempts.c.tenant_id == tenant_id,
            attempts.c.endpoint_id == webhook_id,
            attempts.c.notification_id == event_id,
        )
        .order_by(attempts.c.number.desc())
        .limit(_MOST_ATTEMPTS)
    )
    log = [
        WebhookAttempt.model_validate({**attempt, "at": attempt["began_at"]})
        for attempt in (await connection.execute(latest)).mappings()
    ]
    return WebhookDeliveryDetails.model_validate(
        {**_shown(row), "event": event_from(row), "attempt_log": log}
    )


def _deliveries(tenant_id: str, webhook_id: str) -> Select[Any]:
    own = (column for column in deliveries.c if column.name != "tenant_id")
    return (
        select(notifications, *own)
        .join(
            deliveries,
            and_(
                deliveries.c.tenant_id == notifications.c.tenant_id,
                deliveries.c.notification_id == notifications.c.id,
            ),
        )
        .where(deliveries.c.tenant_id == tenant_id, deliveries.c.endpoint_id == webhook_id, KNOWN)
    )


def _shown(row: RowMapping) -> dict[str, Any]:
    waits = row["state"] == WebhookDeliveryState.WAITING.value
    return {
        **row,
        "webhook_id": row["endpoint_id"],
        "event_id": row["notification_id"],
        "next_attempt_at": row["next_attempt_at"] if waits else None,
    }
