"""Due deliveries to endpoints: claimed for a while, each attempt on record before it is made.

As in ``outbox.claims``, no transaction is open while anything is sent, and what a killed worker
claimed goes to another when the lease is over. Attempts are numbered for good, so that a worker
that took longer than its lease ends its own attempt and no other.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, RowMapping, Select, and_, func, insert, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.storage.tables import notifications
from backend.storage.tables import webhook_attempts as attempts
from backend.storage.tables import webhook_deliveries as deliveries
from backend.storage.tables import webhook_endpoints as endpoints

LEASE: Final = timedelta(minutes=2)
"""Longer than any attempt may take."""


@dataclass(frozen=True, slots=True)
class Claim:
    """An attempt that only this worker makes. ``tries`` counts those since it was queued."""

    row: RowMapping
    """The notification's."""
    tenant_id: str
    endpoint_id: str
    url: str
    number: int
    tries: int
    give_up_at: datetime

    @property
    def event_id(self) -> str:
        """The event's id."""
        return str(self.row["id"])

    @property
    def endpoint(self) -> tuple[str, str]:
        """Whose endpoint it is for, and which."""
        return self.tenant_id, self.endpoint_id


async def claim_due(
    connection: AsyncConnection,
    now: datetime,
    *,
    limit: int,
    each: int,
    busy: Collection[tuple[str, str]] = (),
    lease: timedelta = LEASE,
) -> list[Claim]:
    """Claim what is due, ``each`` an endpoint at most, and none of those that are ``busy``.

    So an endpoint that is slow, or has much to come, holds up no other. Events go in the order
    in which they were recorded, as far as none has to be tried again.
    """
    locked = _due(now, limit=limit, each=each, busy=busy).cte("locked")
    claimed = await connection.execute(
        update(deliveries)
        .where(
            deliveries.c.tenant_id == locked.c.tenant_id,
            deliveries.c.endpoint_id == locked.c.endpoint_id,
            deliveries.c.notification_id == locked.c.notification_id,
            notifications.c.tenant_id == locked.c.tenant_id,
            notifications.c.id == locked.c.notification_id,
            endpoints.c.tenant_id == locked.c.tenant_id,
            endpoints.c.id == locked.c.endpoint_id,
        )
        .values(
            attempts=deliveries.c.attempts + 1,
            tries=deliveries.c.tries + 1,
            next_attempt_at=now + lease,
        )
        .returning(
            notifications,
            deliveries.c.endpoint_id,
            endpoints.c.url,
            deliveries.c.attempts,
            deliveries.c.tries,
            deliveries.c.give_up_at,
        )
    )
    claims = [
        Claim(
            row,
            row["tenant_id"],
            row["endpoint_id"],
            row["url"],
            row["attempts"],
            row["tries"],
            row["give_up_at"],
        )
        for row in claimed.mappings()
    ]
    await _begin_attempts(connection, claims, now)
    return sorted(claims, key=lambda claim: claim.event_id)


def _due(
    now: datetime, *, limit: int, each: int, busy: Collection[tuple[str, str]]
) -> Select[tuple[Any, ...]]:
    """Return the query of the deliveries to claim, which locks them and passes over locked ones."""
    is_due = and_(deliveries.c.state == "waiting", deliveries.c.next_attempt_at <= now)
    place = func.row_number().over(
        partition_by=(deliveries.c.tenant_id, deliveries.c.endpoint_id),
        order_by=(deliveries.c.next_attempt_at, deliveries.c.notification_id),
    )
    key = (deliveries.c.tenant_id, deliveries.c.endpoint_id, deliveries.c.notification_id)
    candidates = select(*key, place.label("place")).where(is_due)
    if busy:
        of_endpoint = tuple_(deliveries.c.tenant_id, deliveries.c.endpoint_id)
        candidates = candidates.where(of_endpoint.not_in(list(busy)))
    due = candidates.subquery("due")
    return (
        select(*key)
        .join(
            due,
            and_(
                due.c.tenant_id == deliveries.c.tenant_id,
                due.c.endpoint_id == deliveries.c.endpoint_id,
                due.c.notification_id == deliveries.c.notification_id,
            ),
        )
        .where(due.c.place <= each, is_due)
        .order_by(due.c.place, deliveries.c.notification_id)
        .limit(limit)
        .with_for_update(skip_locked=True, of=deliveries)
    )


async def _begin_attempts(
    connection: AsyncConnection, claims: Sequence[Claim], now: datetime
) -> None:
    if not claims:
        return
    begun = [
        {
            "tenant_id": claim.tenant_id,
            "endpoint_id": claim.endpoint_id,
            "notification_id": claim.event_id,
            "number": claim.number,
            "began_at": now,
        }
        for claim in claims
    ]
    await connection.execute(insert(attempts), begun)


async def end_attempt(
    connection: AsyncConnection,
    claim: Claim,
    duration_ms: int,
    *,
    status: int | None = None,
    answer: str | None = None,
    reason: str | None = None,
) -> None:
    """Record what came of an attempt."""
    await connection.execute(
        update(attempts)
        .where(
            attempts.c.tenant_id == claim.tenant_id,
            attempts.c.endpoint_id == claim.endpoint_id,
            attempts.c.notification_id == claim.event_id,
            attempts.c.number == claim.number,
        )
        .values(duration_ms=duration_ms, status=status, answer=answer, reason=reason)
    )


async def set_delivered(connection: AsyncConnection, claim: Claim, now: datetime) -> None:
    """Record a delivery, also by a worker that took longer than its lease."""
    await connection.execute(
        update(deliveries)
        .where(_row_of(claim), deliveries.c.state != "delivered")
        .values(state="delivered", delivered_at=now, reason=None)
    )


async def set_undelivered(
    connection: AsyncConnection, claim: Claim, reason: str, next_attempt_at: datetime | None
) -> None:
    """Record why it was not delivered, and when to try again: never if that is None.

    Does nothing if it was claimed again since, or its endpoint was disabled.
    """
    values: dict[str, object] = {"reason": reason}
    values |= (
        {"state": "failed"} if next_attempt_at is None else {"next_attempt_at": next_attempt_at}
    )
    await connection.execute(update(deliveries).where(_still_claimed(claim)).values(**values))


def _row_of(claim: Claim) -> ColumnElement[bool]:
    return and_(
        deliveries.c.tenant_id == claim.tenant_id,
        deliveries.c.endpoint_id == claim.endpoint_id,
        deliveries.c.notification_id == claim.event_id,
    )


def _still_claimed(claim: Claim) -> ColumnElement[bool]:
    return and_(
        _row_of(claim),
        deliveries.c.state == "waiting",
        deliveries.c.attempts == claim.number,
    )
