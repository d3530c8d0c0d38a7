"""The inbox: webhooks are stored as they come, once each, and applied by the worker.

Only what a message points to is kept, and looked up when it is applied: what it claims may be old.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import RowMapping, delete, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.outbox.claims import LEASE
from backend.platforms.adapter import Message
from backend.storage.tables import platform_inbox as inbox


async def store_message(
    connection: AsyncConnection, platform: str, message: Message, now: datetime
) -> bool:
    """Store a verified message; return whether it is new."""
    stored = await connection.execute(
        insert(inbox)
        .values(
            platform=platform,
            message_id=message.id,
            kind=message.kind,
            object_id=message.object_id,
            sent_at=message.sent_at,
            received_at=now,
            state="waiting" if message.wanted else "ignored",
            next_attempt_at=now,
            applied_at=None if message.wanted else now,
        )
        .on_conflict_do_nothing()
        .returning(inbox.c.message_id)
    )
    return stored.first() is not None


async def claim_messages(
    connection: AsyncConnection,
    platforms: Sequence[str],
    now: datetime,
    *,
    limit: int,
    lease: timedelta = LEASE,
) -> Sequence[RowMapping]:
    """Claim messages that are due, the oldest first; no other worker gets them until the lease."""
    due = (
        select(inbox.c.platform, inbox.c.message_id)
        .where(
            inbox.c.state == "waiting",
            inbox.c.next_attempt_at <= now,
            inbox.c.platform.in_(platforms),
        )
        .order_by(inbox.c.received_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
        .cte("due")
    )
    claimed = await connection.execute(
        update(inbox)
        .where(
            tuple_(inbox.c.platform, inbox.c.message_id) == tuple_(due.c.platform, due.c.message_id)
        )
        .values(attempts=inbox.c.attempts + 1, next_attempt_at=now + lease)
        .returning(inbox)
    )
    return sorted(claimed.mappings().all(), key=lambda row: (row["sent_at"], row["message_id"]))


async def set_applied(
    connection: AsyncConnection, row: RowMapping, now: datetime, *, ignored: bool
) -> None:
    """Record that a message was applied, or concerns nothing of ours."""
    state = "ignored" if ignored else "applied"
    await _update(connection, row, state=state, applied_at=now, reason=None)


async def set_later(
    connection: AsyncConnection, row: RowMapping, reason: str, next_attempt_at: datetime | None
) -> None:
    """Record why a message was not applied, and when to try again; never if that is None."""
    if next_attempt_at is None:
        await _update(connection, row, state="failed", reason=reason)
    else:
        await _update(connection, row, reason=reason, next_attempt_at=next_attempt_at)


async def clear_up(connection: AsyncConnection, before: datetime) -> int:
    """Remove messages that were done with before; return how many."""
    removed = await connection.execute(
        delete(inbox).where(inbox.c.state.in_(("applied", "ignored")), inbox.c.received_at < before)
    )
    return removed.rowcount


def message_of(row: RowMapping) -> Message:
    """Return a stored message."""
    return Message(row["message_id"], row["kind"], row["object_id"], row["sent_at"])


async def _update(connection: AsyncConnection, row: RowMapping, **values: Any) -> None:
    await connection.execute(
        update(inbox)
        .where(
            inbox.c.platform == row["platform"],
            inbox.c.message_id == row["message_id"],
            inbox.c.state == "waiting",
        )
        .values(**values)
    )
