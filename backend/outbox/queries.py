"""Notifications as the operator sees them, and sending them again."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, RowMapping, and_, exists, not_, or_, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.kit.pages import Cursor, page_of
from backend.outbox.errors import (
    NotificationAlreadyDelivered,
    NotificationNotFound,
    NotificationOfTestClock,
)
from backend.outbox.events import KNOWN, event_from
from backend.outbox.retrying import GIVE_UP_AFTER
from backend.storage.tables import notification_deliveries as deliveries
from backend.storage.tables import notifications, test_clocks
from backend_client.types.common import Page
from backend_client.types.notifications import (
    ChannelName,
    Delivery,
    DeliveryState,
    Notification,
    NotificationKind,
    NotificationState,
)


async def list_notifications(
    connection: AsyncConnection,
    *,
    tenant_id: str | None = None,
    kinds: Sequence[NotificationKind] = (),
    state: NotificationState | None = None,
    cursor: str | None,
    limit: int,
) -> Page[Notification]:
    """Return a page of notifications, newest first."""
    query = select(notifications).where(KNOWN)
    if tenant_id is not None:
        query = query.where(notifications.c.tenant_id == tenant_id)
    if kinds:
        query = query.where(notifications.c.kind.in_([kind.value for kind in kinds]))
    if state is not None:
        query = query.where(_in_state(state))
    if cursor is not None:
        query = query.where(notifications.c.id < Cursor.read(cursor))
    query = query.order_by(notifications.c.id.desc()).limit(limit + 1)
    rows = (await connection.execute(query)).mappings().all()
    return page_of(
        await _with_deliveries(connection, rows), limit, lambda notification: notification.id
    )


async def find_notification(connection: AsyncConnection, notification_id: str) -> Notification:
    """Return a notification; raise ``NotFound``."""
    row = await _find(connection, notification_id)
    [notification] = await _with_deliveries(connection, [row])
    return notification


async def resend(
    connection: AsyncConnection, notification_id: str, channel: ChannelName | None, now: datetime
) -> Notification:
    """Queue a notification again: over ``channel``, or over those that have not delivered it.

    One that was sent nowhere is given to the channels that there are now. It keeps its id. Raises
    ``NotFound``, and ``Conflict`` if all is delivered and no channel is named, or the tenant is on
    a test clock.
    """
    row = await _find(connection, notification_id, lock=True)
    on_clock = select(test_clocks.c.tenant_id).where(test_clocks.c.tenant_id == row["tenant_id"])
    if await connection.scalar(on_clock) is not None:
        raise NotificationOfTestClock()
    [notification] = await _with_deliveries(connection, [row])
    queued = {
        "state": DeliveryState.WAITING.value,
        "attempts": 0,
        "next_attempt_at": now,
        "give_up_at": now + GIVE_UP_AFTER,
        "delivered_at": None,
        "reason": None,
    }
    mine = and_(
        deliveries.c.tenant_id == row["tenant_id"], deliveries.c.notification_id == row["id"]
    )
    if channel is not None:
        key = {"tenant_id": row["tenant_id"], "notification_id": row["id"]}
        await connection.execute(
            insert(deliveries)
            .values(**key, channel=channel.value, **queued)
            .on_conflict_do_update(index_elements=[*key, "channel"], set_=queued)
        )
    elif not notification.deliveries:
        anew = and_(notifications.c.tenant_id == row["tenant_id"], notifications.c.id == row["id"])
        await connection.execute(update(notifications).where(anew).values(routed_at=None))
    else:
        undelivered = deliveries.c.state != DeliveryState.DELIVERED.value
        again = await connection.execute(
            update(deliveries).where(mine, undelivered).values(**queued)
        )
        if not again.rowcount:
            raise NotificationAlreadyDelivered()
    return await find_notification(connection, notification_id)


async def _find(
    connection: AsyncConnection, notification_id: str, *, lock: bool = False
) -> RowMapping:
    query = select(notifications).where(notifications.c.id == notification_id, KNOWN)
    if lock:
        query = query.with_for_update()
    row = (await connection.execute(query)).mappings().first()
    if row is None:
        raise NotificationNotFound()
    return row


async def _with_deliveries(
    connection: AsyncConnection, rows: Sequence[RowMapping]
) -> list[Notification]:
    deliveries_of: defaultdict[str, list[Delivery]] = defaultdict(list)
    if rows:
        key = tuple_(deliveries.c.tenant_id, deliveries.c.notification_id)
        query = (
            select(deliveries)
            .where(key.in_([(row["tenant_id"], row["id"]) for row in rows]))
            .order_by(deliveries.c.channel)
        )
        for row in (await connection.execute(query)).mappings():
            deliveries_of[row["notification_id"]].append(_delivery(row))
    return [
        Notification(
            id=row["id"],
            state=_state(row, deliveries_of[row["id"]]),
            event=event_from(row),
            deliveries=deliveries_of[row["id"]],
        )
        for row in rows
    ]


def _delivery(row: RowMapping) -> Delivery:
    waiting = row["state"] == DeliveryState.WAITING.value
    return Delivery(
        channel=row["channel"],
        state=row["state"],
        attempts=row["attempts"],
        next_attempt_at=row["next_attempt_at"] if waiting else None,
        delivered_at=row["delivered_at"],
        reason=row["reason"],
    )


def _state(row: RowMapping, of_notification: Sequence[Delivery]) -> NotificationState:
    states = {delivery.state for delivery in of_notification}
    if DeliveryState.FAILED in states:
        return NotificationState.FAILED
    if DeliveryState.WAITING in states or row["routed_at"] is None:
        return NotificationState.WAITING
    if DeliveryState.DELIVERED in states:
        return NotificationState.DELIVERED
    return NotificationState.RECORDED


def _in_state(state: NotificationState) -> ColumnElement[bool]:
    """Return in SQL what ``_state`` computes."""
    failed, waiting, delivered = (
        exists().where(
            deliveries.c.tenant_id == notifications.c.tenant_id,
            deliveries.c.notification_id == notifications.c.id,
            deliveries.c.state == state_of_delivery.value,
        )
        for state_of_delivery in (
            DeliveryState.FAILED,
            DeliveryState.WAITING,
            DeliveryState.DELIVERED,
        )
    )
    waits = or_(waiting, notifications.c.routed_at.is_(None))
    conditions = {
        NotificationState.FAILED: failed,
        NotificationState.WAITING: and_(not_(failed), waits),
        NotificationState.DELIVERED: and_(not_(failed), not_(waits), delivered),
        NotificationState.RECORDED: and_(not_(failed), not_(waits), not_(delivered)),
    }
    return conditions[state]
