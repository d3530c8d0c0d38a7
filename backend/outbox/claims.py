"""Due deliveries: claimed for a while, then recorded with their outcome.

A claim postpones the next attempt by a lease, in a transaction of its own, so that none is open
during sending. What a killed worker claimed goes to another when the lease is over.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, RowMapping, and_, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.storage.tables import notification_deliveries as deliveries
from backend.storage.tables import notifications
from backend_client.types.notifications import ChannelName, DeliveryState

LEASE: Final = timedelta(minutes=3)
"""Longer than any attempt may take."""

_WAITING = DeliveryState.WAITING.value


@dataclass(frozen=True, slots=True)
class Claim:
    """A delivery that only this worker tries until the lease ends; ``attempts`` counts this one."""

    channel: ChannelName
    row: RowMapping
    attempts: int
    give_up_at: datetime

    @property
    def id(self) -> str:
        """The notification's id."""
        return str(self.row["id"])


async def claim_due_deliveries(
    connection: AsyncConnection,
    channel: ChannelName,
    now: datetime,
    *,
    limit: int,
    lease: timedelta = LEASE,
) -> list[Claim]:
    """Claim deliveries that are due, the longest due first; no other worker gets them too."""
    due = (
        select(deliveries.c.tenant_id, deliveries.c.notification_id)
        .where(
            deliveries.c.channel == channel.value,
            deliveries.c.state == _WAITING,
            deliveries.c.next_attempt_at <= now,
        )
        .order_by(deliveries.c.next_attempt_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
        .cte("due")
    )
    claimed = await connection.execute(
        update(deliveries)
        .where(
            deliveries.c.tenant_id == due.c.tenant_id,
            deliveries.c.notification_id == due.c.notification_id,
            deliveries.c.channel == channel.value,
            notifications.c.tenant_id == due.c.tenant_id,
            notifications.c.id == due.c.notification_id,
        )
        .values(attempts=deliveries.c.attempts + 1, next_attempt_at=now + lease)
        .returning(notifications, deliveries.c.attempts, deliveries.c.give_up_at)
    )
    return [
        Claim(channel, row, row["attempts"], row["give_up_at"]) for row in claimed.mappings().all()
    ]


async def set_delivered(connection: AsyncConnection, claim: Claim, now: datetime) -> None:
    """Record a delivery, also by a worker that took longer than its lease."""
    await connection.execute(
        update(deliveries)
        .where(_row_of(claim), deliveries.c.state != DeliveryState.DELIVERED.value)
        .values(state=DeliveryState.DELIVERED.value, delivered_at=now, reason=None)
    )


async def set_undelivered(
    connection: AsyncConnection,
    claim: Claim,
    reason: str,
    *,
    next_attempt_at: datetime | None = None,
    skipped: bool = False,
) -> None:
    """Record why it was not delivered, and when to try again: never if that is None.

    Does nothing if another worker has claimed it since.
    """
    values: dict[str, Any] = {"reason": reason}
    if next_attempt_at is not None:
        values["next_attempt_at"] = next_attempt_at
    else:
        values["state"] = (DeliveryState.SKIPPED if skipped else DeliveryState.FAILED).value
    await connection.execute(update(deliveries).where(_still_claimed(claim)).values(**values))


async def release_claim(connection: AsyncConnection, claim: Claim, now: datetime) -> None:
    """Release a delivery that this worker was stopped in the middle of."""
    await connection.execute(
        update(deliveries)
        .where(_still_claimed(claim))
        .values(attempts=deliveries.c.attempts - 1, next_attempt_at=now)
    )


async def waiting_and_failed(connection: AsyncConnection) -> dict[tuple[str, str], int]:
    """Count what waits and what failed by channel and state, for the metrics.

    Notifications that no worker has routed yet count as ``unrouted``.
    """
    states = (_WAITING, DeliveryState.FAILED.value)
    counts = {(channel.value, state): 0 for channel in ChannelName for state in states}
    rows = await connection.execute(
        select(deliveries.c.channel, deliveries.c.state, func.count())
        .where(deliveries.c.state.in_(states))
        .group_by(deliveries.c.channel, deliveries.c.state)
    )
    counts |= {(channel, state): count for channel, state, count in rows}
    unrouted = select(func.count()).where(notifications.c.routed_at.is_(None))
    counts["unrouted", _WAITING] = await connection.scalar(unrouted) or 0
    return counts


def _row_of(claim: Claim) -> ColumnElement[bool]:
    return and_(
        deliveries.c.tenant_id == claim.row["tenant_id"],
        deliveries.c.notification_id == claim.id,
        deliveries.c.channel == claim.channel.value,
    )


def _still_claimed(claim: Claim) -> ColumnElement[bool]:
    return and_(
        _row_of(claim), deliveries.c.state == _WAITING, deliveries.c.attempts == claim.attempts
    )
