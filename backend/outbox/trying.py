"""Tests of whether notifications arrive: what is sent looks like any other, and says so."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.outbox.notices import Notice
from backend.outbox.queries import find_notification
from backend.outbox.queue import enqueue_notices
from backend.storage.tables import notifications
from backend_client.types.notifications import DeliveryTest, Notification, NotificationKind

MESSAGE = "This is a test. Nothing happened, and nothing has to be done."


async def send_test(
    connection: AsyncConnection, tenant_id: str, subject: str, now: datetime
) -> Notification:
    """Record a test; the same ``subject`` again sends no second one. Customers get no letter."""
    kind = NotificationKind.NOTIFICATION_TEST
    notice = Notice(kind, tenant_id, subject, DeliveryTest(message=MESSAGE), now)
    await enqueue_notices(connection, [notice])
    notification_id = await connection.scalar(
        select(notifications.c.id).where(
            notifications.c.tenant_id == tenant_id,
            notifications.c.kind == kind.value,
            notifications.c.subject == subject,
        )
    )
    return await find_notification(connection, str(notification_id))
