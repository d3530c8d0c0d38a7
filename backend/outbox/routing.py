"""Routes recorded notifications to the configured channels, and removes old ones."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import structlog
from sqlalchemy import RowMapping, and_, delete, exists, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.outbox.channels.channel import Channel
from backend.outbox.events import KNOWN, event_from
from backend.outbox.retrying import GIVE_UP_AFTER
from backend.storage.tables import notification_deliveries as deliveries
from backend.storage.tables import notifications, test_clocks, webhook_deliveries
from backend_client.types.notifications import DeliveryState

_log = structlog.get_logger(__name__)

BATCH: Final = 500
_KEY = tuple_(notifications.c.tenant_id, notifications.c.id)
_OF_NOTIFICATION = and_(
    deliveries.c.tenant_id == notifications.c.tenant_id,
    deliveries.c.notification_id == notifications.c.id,
)


async def route(connection: AsyncConnection, channels: Sequence[Channel], now: datetime) -> int:
    """Queue new notifications for each channel that wants them; return how many were new.

    Without a channel they stay on record, and nothing waits; so do those of tenants on test clocks,
    who get no letters and make no program act. Any number of workers may do this at
    once. A channel never gets one twice.
    """
    query = (
        select(notifications)
        .where(notifications.c.routed_at.is_(None), KNOWN)
        .order_by(notifications.c.created_at)
        .limit(BATCH)
        .with_for_update(skip_locked=True)
    )
    rows = (await connection.execute(query)).mappings().all()
    if not rows:
        return 0
    on_clocks = select(test_clocks.c.tenant_id).where(
        test_clocks.c.tenant_id.in_({row["tenant_id"] for row in rows})
    )
    silent = set(await connection.scalars(on_clocks))
    queued = [
        {
            "tenant_id": row["tenant_id"],
            "notification_id": row["id"],
            "channel": channel.name.value,
            "next_attempt_at": now,
            "give_up_at": now + GIVE_UP_AFTER,
        }
        for row in rows
        if row["tenant_id"] not in silent
        for channel in _wanted(row, channels)
    ]
    if queued:
        await connection.execute(insert(deliveries).on_conflict_do_nothing(), queued)
    routed = _KEY.in_([(row["tenant_id"], row["id"]) for row in rows])
    await connection.execute(update(notifications).where(routed).values(routed_at=now))
    return len(rows)


def _wanted(row: RowMapping, channels: Sequence[Channel]) -> Sequence[Channel]:
    try:
        event = event_from(row)
    except ValueError:
        # A fault of our own: each channel fails visibly, and nothing else waits for it
        _log.exception("notifications.unreadable", id=row["id"])
        return channels
    return [channel for channel in channels if channel.wants(event)]


async def give_up_unserved(
    connection: AsyncConnection, channels: Sequence[Channel], now: datetime
) -> None:
    """Fail what has waited too long for a channel that no worker has configured."""
    await connection.execute(
        update(deliveries)
        .where(
            deliveries.c.state == DeliveryState.WAITING.value,
            deliveries.c.channel.not_in([channel.name.value for channel in channels]),
            deliveries.c.next_attempt_at <= now,
            deliveries.c.give_up_at <= now,
        )
        .values(state=DeliveryState.FAILED.value, reason="No worker has this channel configured.")
    )


async def clear_up(connection: AsyncConnection, keep: timedelta, now: datetime) -> int:
    """Delete a batch of notifications that were done before ``keep``; return how many."""
    old = (
        select(notifications.c.tenant_id, notifications.c.id)
        .where(
            notifications.c.routed_at < now - keep,
            ~exists().where(_OF_NOTIFICATION, deliveries.c.state == DeliveryState.WAITING.value),
            ~exists().where(
                webhook_deliveries.c.tenant_id == notifications.c.tenant_id,
                webhook_deliveries.c.notification_id == notifications.c.id,
                webhook_deliveries.c.state == DeliveryState.WAITING.value,
            ),
        )
        .limit(BATCH)
    )
    removed_rows = await connection.execute(delete(notifications).where(_KEY.in_(old)))
    return removed_rows.rowcount
