"""Queues what changed of usage since it was queued last, for tenants whose platform rates it.

Usage is sent in sums of a closed quarter hour, a model and a meter. What comes late, or is
corrected, is sent as the difference, above or below zero: a value that was sent is never replaced.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from hashlib import blake2b
from typing import Any, Final

from sqlalchemy import RowMapping, insert, or_, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.ids import new_id
from backend.outbox.platform_queue import Action
from backend.pricing.periods import QUARTER_HOUR
from backend.storage.database import Database
from backend.storage.tables import (
    platform_connections,
    platform_cursors,
    platform_dispatches,
    platform_objects,
    platform_usage,
    usage_versions,
)
from backend_client.types.common import plain
from backend_client.types.platforms import PlatformMode

SETTLES_AFTER: Final = timedelta(minutes=15)
"""How long a quarter hour's late events are waited for before its sum is sent."""
WINDOW: Final = timedelta(days=34)
"""How far back changes are sent: platforms take nothing older than 35 days."""
_SENDS_FOR: Final = timedelta(days=2)
"""How long after its end a connection is still looked at."""

_CHANGES: Final = text(
    """
    WITH used AS (
        SELECT bucket, model, meter, sum(quantity) AS quantity FROM rollups
        WHERE tenant_id = :tenant_id AND bucket >= :start AND bucket < :end
        GROUP BY bucket, model, meter
    ), queued AS (
        SELECT bucket, model, meter, revision, quantity FROM platform_usage
        WHERE tenant_id = :tenant_id AND platform = :platform
          AND bucket >= :start AND bucket < :end
    )
    SELECT bucket, model, meter, coalesce(queued.revision, 0) AS revision,
        coalesce(used.quantity, 0) AS quantity, coalesce(queued.quantity, 0) AS queued
    FROM used FULL JOIN queued USING (bucket, model, meter)
    WHERE coalesce(used.quantity, 0) <> coalesce(queued.quantity, 0)
    ORDER BY bucket, model, meter
    """
)


async def collect_usage(database: Database, platforms: Sequence[str], now: datetime) -> int:
    """Queue what changed for every tenant that a platform rates; return how many deltas."""
    query = select(platform_connections).where(
        platform_connections.c.mode == PlatformMode.USAGE.value,
        platform_connections.c.platform.in_(platforms),
        platform_connections.c.starts_at < now,
        or_(
            platform_connections.c.ends_at.is_(None),
            platform_connections.c.ends_at > now - _SENDS_FOR,
        ),
    )
    async with database.begin() as connection:
        rows = (await connection.execute(query)).mappings().all()
    by_cursor: defaultdict[tuple[str, str], list[RowMapping]] = defaultdict(list)
    for row in rows:
        by_cursor[row["tenant_id"], row["platform"]].append(row)
    queued = 0
    for of_cursor in by_cursor.values():
        async with database.begin() as connection:
            queued += await _queue_changes(connection, of_cursor, now)
    return queued


def identifier_of(tenant_id: str, meter: str, model: str, bucket: datetime, revision: int) -> str:
    """Return a delta's identifier: the same for the same change, and nothing of the customer."""
    parts = (tenant_id, meter, model, str(int(bucket.timestamp())), str(revision))
    return f"fb1-{blake2b(chr(0).join(parts).encode(), digest_size=20).hexdigest()}"


async def queue_changes(
    connection: AsyncConnection, row: RowMapping, now: datetime, *, since: datetime | None = None
) -> int:
    """Queue what changed while a connection's platform rates usage; return how many deltas.

    Looks back as far as every platform takes changes, or to ``since``.
    """
    return await _queue_changes(connection, [row], now, since)


async def _queue_changes(
    connection: AsyncConnection,
    rows: Sequence[RowMapping],
    now: datetime,
    since: datetime | None = None,
) -> int:
    """Queue what changed in a tenant's connections to one platform, which have one cursor."""
    tenant_id, platform = rows[0]["tenant_id"], rows[0]["platform"]
    cursor = await _lock_cursor(connection, tenant_id, platform)
    version = await connection.scalar(
        select(usage_versions.c.version).where(usage_versions.c.tenant_id == tenant_id)
    )
    closed_until = _closed(now)
    if since is None and (cursor["usage_version"], cursor["closed_until"]) == (
        version,
        closed_until,
    ):
        return 0
    meters = await _meters(connection, tenant_id, platform)
    queued = 0
    for row in rows:
        window = {
            "tenant_id": tenant_id,
            "platform": platform,
            "start": max(row["starts_at"], since or now - WINDOW),
            "end": closed_until if row["ends_at"] is None else min(closed_until, row["ends_at"]),
        }
        changes = [
            change
            for change in (await connection.execute(_CHANGES, window)).mappings()
            if f"{change['meter']} {change['model']}" in meters
        ]
        if changes:
            await _queue(connection, tenant_id, platform, changes, now)
        queued += len(changes)
    await connection.execute(
        update(platform_cursors)
        .where(
            platform_cursors.c.tenant_id == tenant_id,
            platform_cursors.c.platform == platform,
            platform_cursors.c.stream == "usage",
        )
        .values(usage_version=version, closed_until=closed_until)
    )
    return queued


async def _queue(
    connection: AsyncConnection,
    tenant_id: str,
    platform: str,
    changes: Sequence[RowMapping],
    now: datetime,
) -> None:
    await connection.execute(
        insert(platform_dispatches),
        [_dispatch(tenant_id, platform, change, now) for change in changes],
    )
    sums = upsert(platform_usage).values(
        [
            {
                "tenant_id": tenant_id,
                "platform": platform,
                "bucket": change["bucket"],
                "model": change["model"],
                "meter": change["meter"],
                "revision": change["revision"] + 1,
                "quantity": change["quantity"],
            }
            for change in changes
        ]
    )
    await connection.execute(
        sums.on_conflict_do_update(
            index_elements=["tenant_id", "platform", "bucket", "model", "meter"],
            set_={"revision": sums.excluded.revision, "quantity": sums.excluded.quantity},
        )
    )


def _dispatch(tenant_id: str, platform: str, change: RowMapping, now: datetime) -> dict[str, Any]:
    def named(revision: int) -> str:
        return identifier_of(
            tenant_id, change["meter"], change["model"], change["bucket"], revision
        )

    delta: Decimal = change["quantity"] - change["queued"]
    data = {
        "bucket": change["bucket"].isoformat(),
        "model": change["model"],
        "meter": change["meter"],
        "quantity": plain(delta),
        "revision": change["revision"] + 1,
    }
    if change["quantity"] == 0 and change["revision"] == 1:
        data["undoes"] = named(1)  # the only delta there was can be taken back whole
    return {
        "tenant_id": tenant_id,
        "id": new_id("dsp"),
        "platform": platform,
        "stream": "usage",
        "action": Action.USAGE.value,
        "fact": named(change["revision"] + 1),
        "subject": f"{change['meter']} {change['model']}",
        "data": data,
        "next_attempt_at": now,
    }


async def _meters(connection: AsyncConnection, tenant_id: str, platform: str) -> set[str]:
    """Return the meters that the platform rates for the tenant, as ``meter model``."""
    query = select(platform_objects.c.own_id).where(
        platform_objects.c.tenant_id == tenant_id,
        platform_objects.c.platform == platform,
        platform_objects.c.kind == "meter",
    )
    return set(await connection.scalars(query))


async def _lock_cursor(connection: AsyncConnection, tenant_id: str, platform: str) -> RowMapping:
    key = {"tenant_id": tenant_id, "platform": platform, "stream": "usage"}
    await connection.execute(upsert(platform_cursors).values(key).on_conflict_do_nothing())
    query = select(platform_cursors).filter_by(**key).with_for_update()
    return (await connection.execute(query)).mappings().one()


def _closed(now: datetime) -> datetime:
    """Return until when quarter hours are over, and their late events waited for."""
    settled = now - SETTLES_AFTER
    return settled - timedelta(seconds=settled.timestamp() % QUARTER_HOUR.total_seconds())
