"""Compares a tenant with its platform: invoices, the plan, usage and credit."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import structlog
from sqlalchemy import RowMapping, func, or_, select, tuple_, update

from backend.outbox.channels.channel import NotDelivered
from backend.platforms.adapter import Adapter
from backend.platforms.comparing.credit import verify_credit
from backend.platforms.comparing.invoices import INVOICES_OF, verify_invoices
from backend.platforms.comparing.plans import verify_plan
from backend.platforms.comparing.usage import verify_usage
from backend.storage.database import Database
from backend.storage.tables import platform_connections
from backend_client.types.platforms import PlatformMode

_log = structlog.get_logger(__name__)


async def verify_all(
    database: Database,
    adapters: Mapping[str, Adapter],
    now: datetime,
    every: timedelta,
    stop: asyncio.Event,
) -> int:
    """Compare each tenant that was not compared for that long; return how many were."""
    compared = 0
    while not stop.is_set():
        row = await _claim(database, list(adapters), now, every)
        if row is None:
            return compared
        try:
            await verify(database, adapters[row["platform"]], row, now)
        except NotDelivered as failure:
            _log.warning("platforms.not_compared", reason=failure.reason)
        compared += 1
    return compared


async def verify(
    database: Database, adapter: Adapter, connection_row: RowMapping, now: datetime
) -> None:
    """Compare a tenant with its platform, and record what differs. Raises ``NotDelivered``."""
    await verify_invoices(database, adapter, connection_row, now)
    if connection_row["mode"] == PlatformMode.USAGE:
        await verify_plan(database, adapter.name, connection_row, now)
        await verify_usage(database, adapter, connection_row, now)
    await verify_credit(database, adapter, connection_row, now)


async def connection_rows(
    database: Database, platform: str, tenant_id: str | None
) -> Sequence[RowMapping]:
    """Return the connections to a platform: a tenant's, or all."""
    query = select(platform_connections).where(platform_connections.c.platform == platform)
    if tenant_id is not None:
        query = query.where(platform_connections.c.tenant_id == tenant_id)
    async with database.begin() as connection:
        return (await connection.execute(query)).mappings().all()


async def _claim(
    database: Database, platforms: Sequence[str], now: datetime, every: timedelta
) -> RowMapping | None:
    key = tuple_(platform_connections.c.tenant_id, platform_connections.c.starts_at)
    due = (
        select(platform_connections.c.tenant_id, platform_connections.c.starts_at)
        .where(
            platform_connections.c.platform.in_(platforms),
            platform_connections.c.starts_at <= now,
            or_(
                platform_connections.c.ends_at.is_(None),
                platform_connections.c.ends_at > now - INVOICES_OF,
            ),
            func.coalesce(platform_connections.c.compared_at, platform_connections.c.starts_at)
            < now - every,
        )
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    async with database.begin() as connection:
        claimed = await connection.execute(
            update(platform_connections)
            .where(key.in_(due))
            .values(compared_at=now)
            .returning(platform_connections)
        )
        row: RowMapping | None = claimed.mappings().first()
    return row
