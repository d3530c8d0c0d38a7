"""Carries changes of plan over to a platform that rates a tenant's usage.

A connection by usage is a row of subscriptions there, each to one plan version: one ends where the
next begins, between two billing periods, so that no usage is in both or in neither. The end is
queued a day ahead, as the platform would begin another period otherwise; what follows is decided
once that time has come, since a change can be withdrawn until then. A plan that the platform can't
rate is billed by our invoices from there on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog
from sqlalchemy import RowMapping, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.accounts.tenants import find_tenant
from backend.platforms.adapter import Adapter
from backend.platforms.queueing.subscriptions import (
    ENDS_AHEAD,
    lock_connections,
    queue_subscription,
    queue_subscription_end,
    queued_stretch,
)
from backend.storage.database import Database
from backend.storage.tables import billing_anchors, platform_connections
from backend.subscriptions.segments import Segment, read_segments, segment_from
from backend_client.types.platforms import PlatformMode
from backend_client.types.subscriptions import SubscriptionState

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Timeline:
    """A tenant's subscription as far as it matters to a platform."""

    segments: Sequence[Segment]
    anchors: Sequence[datetime]
    """Where billing periods begin with another day of the month from then on."""

    def plan_at(self, at: datetime) -> tuple[str, int] | None:
        """Return the plan version in force; None if there is none, or it is paused."""
        for segment in self.segments:
            if segment.start <= at and (segment.end is None or at < segment.end):
                return _version(segment)
        return None

    def end_of(self, since: datetime) -> datetime | None:
        """Return where a subscription that began at ``since`` ends; None while nothing changes."""
        plan = self.plan_at(since)
        turns = {segment.start for segment in self.segments}
        turns |= {segment.end for segment in self.segments if segment.end is not None}
        ends = [at for at in turns if at > since and self.plan_at(at) != plan]
        return min([*ends, *(at for at in self.anchors if at > since)], default=None)

    def next_plan(self, since: datetime) -> tuple[datetime, Segment] | None:
        """Return from when on a plan is in force again, at ``since`` or later, and its segment."""
        for segment in self.segments:
            over = segment.end is not None and segment.end <= since
            if not over and _version(segment) is not None:
                return max(segment.start, since), segment
        return None


async def follow_plans(database: Database, adapters: Mapping[str, Adapter], now: datetime) -> int:
    """Queue what changed of the plans that platforms rate; return how many dispatches."""
    query = select(platform_connections.c.tenant_id, platform_connections.c.starts_at).where(
        platform_connections.c.mode == PlatformMode.USAGE.value,
        platform_connections.c.platform.in_(list(adapters)),
        platform_connections.c.starts_at <= now,
        or_(platform_connections.c.ends_at.is_(None), platform_connections.c.ends_at > now),
    )
    async with database.begin() as connection:
        rows = (await connection.execute(query)).all()
    queued = 0
    for tenant_id, starts_at in rows:
        async with database.begin() as connection:
            queued += await _follow(connection, adapters, tenant_id, starts_at, now)
    return queued


async def _follow(
    connection: AsyncConnection,
    adapters: Mapping[str, Adapter],
    tenant_id: str,
    starts_at: datetime,
    now: datetime,
) -> int:
    await lock_connections(connection, tenant_id)
    query = select(platform_connections).filter_by(tenant_id=tenant_id, starts_at=starts_at)
    row = (await connection.execute(query)).mappings().one()
    timeline = await _timeline(connection, tenant_id, starts_at)
    queued = 0
    while True:
        stretch = await queued_stretch(connection, row)
        ends_at = stretch.ends_at
        if ends_at is None:
            ends_at = timeline.end_of(stretch.since)
            if ends_at is None or ends_at > now + ENDS_AHEAD or _is_over(row, ends_at):
                return queued
            queued += await queue_subscription_end(connection, row, stretch.since, ends_at, now)
        following = timeline.next_plan(ends_at)
        if following is None or following[0] > now or _is_over(row, following[0]):
            return queued
        since, segment = following
        adapter = adapters[row["platform"]]
        if not await _can_rate(connection, adapter, tenant_id, segment, since):
            await _go_over_to_invoices(connection, adapter, row, since)
            return queued
        queued += await queue_subscription(connection, row, since)


def _is_over(row: RowMapping, at: datetime) -> bool:
    return row["ends_at"] is not None and at >= row["ends_at"]


def _version(segment: Segment) -> tuple[str, int] | None:
    if segment.terms.state is SubscriptionState.PAUSED:
        return None
    return segment.terms.plan.definition.id, segment.terms.plan.version


async def _timeline(connection: AsyncConnection, tenant_id: str, since: datetime) -> Timeline:
    rows = await read_segments(connection, tenant_id, since=since)
    anchors = select(billing_anchors.c.effective_at).where(
        billing_anchors.c.tenant_id == tenant_id, billing_anchors.c.effective_at > since
    )
    return Timeline([segment_from(row) for row in rows], (await connection.scalars(anchors)).all())


async def _can_rate(
    connection: AsyncConnection, adapter: Adapter, tenant_id: str, segment: Segment, since: datetime
) -> bool:
    tenant = await find_tenant(connection, tenant_id)
    plan = segment.terms.plan_priced_in(tenant.currency)
    obstacles = adapter.obstacles(plan, tenant.currency)
    if why := adapter.refuses(PlatformMode.USAGE, since):
        obstacles = [*obstacles, why]
    if obstacles:
        _log.warning("platforms.plan_does_not_fit", tenant=tenant_id, obstacles=obstacles)
    return not obstacles


async def _go_over_to_invoices(
    connection: AsyncConnection, adapter: Adapter, row: RowMapping, since: datetime
) -> None:
    """Have the platform rate nothing from then on, and be sent our invoices if it takes any."""
    await connection.execute(
        update(platform_connections)
        .where(
            platform_connections.c.tenant_id == row["tenant_id"],
            platform_connections.c.starts_at == row["starts_at"],
        )
        .values(ends_at=since)
    )
    if adapter.refuses(PlatformMode.INVOICES, since):
        return
    await connection.execute(
        insert(platform_connections).values(
            tenant_id=row["tenant_id"],
            starts_at=since,
            platform=row["platform"],
            mode=PlatformMode.INVOICES.value,
            ends_at=row["ends_at"],
        )
    )
