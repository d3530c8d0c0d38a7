"""Dispatches: claimed a tenant's stream at a time, sent in order, recorded with their outcome.

A claim holds a stream's cursor for a lease, in a transaction of its own, as the outbox does: what a
killed worker held goes to another when the lease is over. What was refused blocks only what is
about the same subject.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    RowMapping,
    Text,
    and_,
    bindparam,
    case,
    delete,
    exists,
    func,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.outbox.claims import LEASE
from backend.storage.tables import platform_cursors as cursors
from backend.storage.tables import platform_dispatches as dispatches

KEYS_HOLD: Final = timedelta(hours=20)
"""How long idempotency keys are relied on: platforms keep them for a day."""

_WINDOW: Final = 200
"""Dispatches that a claim looks at first."""

_USAGE_KEPT: Final = timedelta(days=60)
"""Longer than a platform takes changes of usage for."""

_EARLIER = dispatches.alias("earlier")
_UNDONE: Final = ("waiting", "refused")

_CLAIM: Final = text(
    """
    WITH earliest AS (
        SELECT tenant_id, platform, stream FROM platform_dispatches AS dispatch
        WHERE state = 'waiting' AND next_attempt_at <= :now AND platform = ANY(:platforms)
          AND (CAST(:tenant_id AS text) IS NULL OR tenant_id = :tenant_id)
          AND NOT EXISTS (
            SELECT FROM platform_dispatches AS earlier
            WHERE earlier.tenant_id = dispatch.tenant_id AND earlier.platform = dispatch.platform
              AND earlier.subject = dispatch.subject AND earlier.sequence < dispatch.sequence
              AND earlier.state IN ('waiting', 'refused') AND dispatch.stream = 'documents'
              AND (earlier.state = 'refused' OR earlier.next_attempt_at > :now)
          )
        ORDER BY next_attempt_at LIMIT :window
    ), due AS (
        SELECT DISTINCT tenant_id, platform, stream FROM earliest
    ), free AS (
        SELECT tenant_id, platform, stream FROM platform_cursors JOIN due
            USING (tenant_id, platform, stream)
        WHERE coalesce(claimed_until, '-infinity') <= :now
        ORDER BY claimed_until NULLS FIRST
        LIMIT :limit
        FOR UPDATE OF platform_cursors SKIP LOCKED
    )
    UPDATE platform_cursors AS cursor SET claim = cursor.claim + 1, claimed_until = :until
    FROM free
    WHERE (cursor.tenant_id, cursor.platform, cursor.stream)
        = (free.tenant_id, free.platform, free.stream)
    RETURNING cursor.tenant_id, cursor.platform, cursor.stream, cursor.claim
    """
).bindparams(bindparam("platforms", type_=ARRAY(Text)), bindparam("window", type_=BigInteger))


@dataclass(frozen=True, slots=True)
class StreamClaim:
    """A stream that only this worker sends until the lease ends."""

    tenant_id: str
    platform: str
    stream: str
    claim: int


async def claim_streams(
    connection: AsyncConnection,
    platforms: Sequence[str],
    now: datetime,
    *,
    limit: int,
    lease: timedelta = LEASE,
    tenant_id: str | None = None,
) -> list[StreamClaim]:
    """Claim streams with something due, those that waited longest first; of a tenant, or of all.

    Looks at what is due first, and at all that is due if that is of too few streams which are free:
    the cost of a claim does not grow with what waits.
    """
    values = {
        "platforms": list(platforms),
        "tenant_id": tenant_id,
        "now": now,
        "until": now + lease,
    }
    claims: list[StreamClaim] = []
    for window in (_WINDOW, None):
        more = await connection.execute(
            _CLAIM, values | {"limit": limit - len(claims), "window": window}
        )
        claims += [StreamClaim(*row) for row in more]
        if len(claims) == limit:
            break
    return claims


async def renew(
    connection: AsyncConnection, claim: StreamClaim, now: datetime, lease: timedelta = LEASE
) -> bool:
    """Hold a stream for another lease; return False if another worker has it by now."""
    held = await connection.execute(
        update(cursors).where(_cursor_of(claim)).values(claimed_until=now + lease)
    )
    return bool(held.rowcount)


async def release(connection: AsyncConnection, claim: StreamClaim) -> None:
    """Let others have a stream, and note how far it is done."""
    undone = select(func.min(dispatches.c.sequence)).where(
        *_in_stream(claim), dispatches.c.state.in_(_UNDONE)
    )
    last = select(func.max(dispatches.c.sequence)).where(*_in_stream(claim))
    first_undone = await connection.scalar(undone)
    position = await connection.scalar(last) if first_undone is None else first_undone - 1
    await connection.execute(
        update(cursors)
        .where(_cursor_of(claim))
        .values(claimed_until=None, position=func.greatest(cursors.c.position, position or 0))
    )


async def next_due(
    connection: AsyncConnection, claim: StreamClaim, now: datetime, *, limit: int
) -> Sequence[RowMapping]:
    """Return what is due in a stream, in order, without what waits for another of its subject."""
    blocked = exists().where(
        _EARLIER.c.tenant_id == dispatches.c.tenant_id,
        _EARLIER.c.platform == dispatches.c.platform,
        _EARLIER.c.subject == dispatches.c.subject,
        _EARLIER.c.sequence < dispatches.c.sequence,
        _EARLIER.c.state.in_(_UNDONE),
        dispatches.c.stream == "documents",
    )
    query = (
        select(dispatches)
        .where(
            *_in_stream(claim),
            dispatches.c.state == "waiting",
            dispatches.c.next_attempt_at <= now,
            ~blocked,
        )
        .order_by(dispatches.c.sequence)
        .limit(limit)
    )
    return (await connection.execute(query)).mappings().all()


async def begin_attempts(
    connection: AsyncConnection, rows: Sequence[RowMapping], now: datetime
) -> dict[str, int]:
    """Count an attempt of each; return the groups of their idempotency keys, by id."""
    over = dispatches.c.key_since < now - KEYS_HOLD
    counted = await connection.execute(
        update(dispatches)
        .where(
            dispatches.c.tenant_id == rows[0]["tenant_id"],
            dispatches.c.id.in_([row["id"] for row in rows]),
            dispatches.c.state == "waiting",
        )
        .values(
            attempts=dispatches.c.attempts + 1,
            key_group=case((over, dispatches.c.key_group + 1), else_=dispatches.c.key_group),
            key_since=case((over, now), else_=func.coalesce(dispatches.c.key_since, now)),
        )
        .returning(dispatches.c.id, dispatches.c.key_group)
    )
    groups = {row["id"]: row["key_group"] for row in rows}
    return groups | {row.id: row.key_group for row in counted}


async def set_done(
    connection: AsyncConnection,
    row: RowMapping,
    now: datetime,
    *,
    remote_id: str | None = None,
    reason: str | None = None,
    confirmed: bool = True,
) -> None:
    """Record that the platform has it; ``confirmed`` if it was seen to have it as we do."""
    await _update(
        connection,
        row,
        state="confirmed" if confirmed else "sent",
        sent_at=now,
        confirmed_at=now if confirmed else None,
        remote_id=remote_id,
        reason=reason,
    )


async def set_refused(connection: AsyncConnection, row: RowMapping, reason: str) -> None:
    """Record that the platform does not take it; it waits for a person."""
    await _update(connection, row, state="refused", reason=reason)


async def set_waiting(
    connection: AsyncConnection,
    row: RowMapping,
    reason: str,
    next_attempt_at: datetime,
    *,
    counted: bool = True,
    new_keys: bool = False,
) -> None:
    """Record why it was not sent, and when to try again. ``new_keys``: not under the same keys."""
    values: dict[str, Any] = {"reason": reason, "next_attempt_at": next_attempt_at}
    if not counted:
        values["attempts"] = dispatches.c.attempts - 1
    if new_keys:
        values |= {"key_group": dispatches.c.key_group + 1, "key_since": None}
    await _update(connection, row, **values)


async def clear_up_usage(connection: AsyncConnection, now: datetime) -> int:
    """Remove deltas of usage that the platform has had for long; return how many.

    ``platform_usage`` keeps what they add up to. Documents are kept: they are few.
    """
    removed = await connection.execute(
        delete(dispatches).where(
            dispatches.c.stream == "usage",
            dispatches.c.state == "confirmed",
            dispatches.c.confirmed_at < now - _USAGE_KEPT,
        )
    )
    return removed.rowcount


async def _update(connection: AsyncConnection, row: RowMapping, **values: Any) -> None:
    # Never out of an end: a slower worker may come back after its lease
    await connection.execute(
        update(dispatches)
        .where(
            dispatches.c.tenant_id == row["tenant_id"],
            dispatches.c.id == row["id"],
            dispatches.c.state == "waiting",
        )
        .values(**values)
    )


def _cursor_of(claim: StreamClaim) -> Any:
    return and_(
        cursors.c.tenant_id == claim.tenant_id,
        cursors.c.platform == claim.platform,
        cursors.c.stream == claim.stream,
        cursors.c.claim == claim.claim,
    )


def _in_stream(claim: StreamClaim) -> list[Any]:
    return [
        dispatches.c.tenant_id == claim.tenant_id,
        dispatches.c.platform == claim.platform,
        dispatches.c.stream == claim.stream,
    ]
