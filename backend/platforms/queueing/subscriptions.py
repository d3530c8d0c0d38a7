"""What is queued of a connection by usage: subscriptions there, each named by when it began."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import BigInteger, and_, cast, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.ids import new_id
from backend.outbox.platform_queue import Action
from backend.storage.tables import platform_dispatches as dispatches

ENDS_AHEAD: Final = timedelta(days=1)
"""How long before its end a platform is sent that a subscription ends."""

_LOCK: Final = text("SELECT pg_advisory_xact_lock(hashtextextended('platforms ' || :tenant_id, 0))")


@dataclass(frozen=True, slots=True)
class QueuedStretch:
    """A subscription on the platform; ``ends_at`` is None until its end is queued."""

    since: datetime
    ends_at: datetime | None


async def lock_connections(connection: AsyncConnection, tenant_id: str) -> None:
    """Block other changes of the tenant's connections until commit."""
    await connection.execute(_LOCK, {"tenant_id": tenant_id})


async def queued_stretch(connection: AsyncConnection, row: Mapping[Any, Any]) -> QueuedStretch:
    """Return the last subscription that was queued for a connection."""
    began = cast(dispatches.c.data["own_id"].astext, BigInteger)
    of_tenant = and_(
        dispatches.c.tenant_id == row["tenant_id"], dispatches.c.platform == row["platform"]
    )
    last = await connection.scalar(
        select(began)
        .where(
            of_tenant,
            dispatches.c.action == Action.SUBSCRIBE.value,
            began >= int(row["starts_at"].timestamp()),
        )
        .order_by(began.desc())
        .limit(1)
    )
    since = row["starts_at"] if last is None else datetime.fromtimestamp(last, UTC)
    fact = _fact(Action.UNSUBSCRIBE, since)
    ends_at = await connection.scalar(
        select(dispatches.c.data["at"].astext).where(of_tenant, dispatches.c.fact == fact)
    )
    return QueuedStretch(since, None if ends_at is None else datetime.fromisoformat(ends_at))


async def queue_subscription(
    connection: AsyncConnection, row: Mapping[Any, Any], since: datetime
) -> int:
    """Queue that the platform begins to rate a tenant's usage, for when that is."""
    return await _queue(connection, row, Action.SUBSCRIBE, since, {}, since)


async def queue_subscription_end(
    connection: AsyncConnection,
    row: Mapping[Any, Any],
    since: datetime,
    at: datetime,
    due: datetime,
) -> int:
    """Queue that what began at ``since`` ends at ``at``; it is sent when ``due``."""
    return await _queue(connection, row, Action.UNSUBSCRIBE, since, {"at": at.isoformat()}, due)


async def _queue(
    connection: AsyncConnection,
    row: Mapping[Any, Any],
    action: Action,
    since: datetime,
    data: Mapping[str, str],
    due: datetime,
) -> int:
    began = str(int(since.timestamp()))
    queued = {
        "tenant_id": row["tenant_id"],
        "id": new_id("dsp"),
        "platform": row["platform"],
        "stream": "documents",
        "action": action.value,
        "fact": _fact(action, since),
        "subject": f"subscription {began}",
        "data": {"own_id": began, **data},
        "next_attempt_at": due,
    }
    added = await connection.execute(insert(dispatches).values(queued).on_conflict_do_nothing())
    return added.rowcount


def _fact(action: Action, since: datetime) -> str:
    return f"{action.value}:{int(since.timestamp())}"
