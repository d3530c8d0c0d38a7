"""The log of an endpoint: what it was sent, and how each attempt went."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import RowMapping, Select, and_, func, select
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

_UNDELIVERED: Final = (WebhookDeliveryState.WAITING.value, WebhookDeliveryState.FAILED.value)
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


async def counts_of(
    connection: AsyncConnection, tenant_id: str, webhook_ids: Sequence[str]
) -> dict[str, dict[str, int]]:
    """Return how many deliveries of each endpoint are waiting and failed, by these words."""
    counts = {webhook_id: dict.fromkeys(_UNDELIVERED, 0) for webhook_id in webhook_ids}
    rows = await connection.execute(
        select(deliveries.c.endpoint_id, deliveries.c.state, func.count())
        .where(
            deliveries.c.tenant_id == tenant_id,
            deliveries.c.endpoint_id.in_(webhook_ids),
            deliveries.c.state.in_(_UNDELIVERED),
        )
        .group_by(deliveries.c.endpoint_id, deliveries.c.state)
    )
    for webhook_id, state, count in rows:
        counts[webhook_id][state] = count
    return counts


@dataclass(frozen=True, slots=True)
class Undelivered:
    """What is on its way to all customers' endpoints: how many deliveries wait and failed.

    ``due_since`` is when the one was due that a worker should have tried first; None if none is.
    """

    waiting: int
    failed: int
    due_since: datetime | None


async def undelivered(connection: AsyncConnection, now: datetime) -> Undelivered:
    """Return what all customers' endpoints are still to be sent, for the metrics."""
    waiting, failed = (deliveries.c.state == state for state in _UNDELIVERED)
    # One each, so that both are read from their own index
    due = select(func.count(), func.min(deliveries.c.next_attempt_at)).where(waiting)
    count, first = (await connection.execute(due)).one()
    failed_count = await connection.scalar(select(func.count()).where(failed)) or 0
    return Undelivered(count, failed_count, first if first is not None and first <= now else None)


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
