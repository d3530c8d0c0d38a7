"""The pass that archives events as they get old, one tenant after another.

Metering does not decide which events may go: a billing period is rated again while late events can
reach it, so the billing rooms pass in ``SettledBefore``.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from datetime import datetime
from pathlib import Path
from typing import TypeAlias

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.accounts.tenants import list_tenants
from backend.metering.archives.archive import ArchivedDay, archive_events, archiving
from backend.metering.errors import ArchiveRefused
from backend.storage.database import Database
from backend_client.types.accounts import Tenant

_log = structlog.get_logger(__name__)

"""Seconds between two passes. At each midnight (UTC) one more day is old enough."""
_PAGE = 200

SettledBefore: TypeAlias = Callable[[AsyncConnection, Tenant, datetime], Awaitable[datetime]]
"""Given a tenant and the time now: the midnight (UTC) before which its usage is final."""


async def archive_tenants(
    database: Database,
    settled_before: SettledBefore,
    directory: Path,
    before: datetime,
    now: datetime,
    *,
    actor: str,
    restored_until: datetime | None = None,
) -> AsyncGenerator[tuple[Tenant, ArchivedDay], None]:
    """Archive all tenants' events from before a midnight (UTC), as far as they are final.

    Days that were restored after ``restored_until`` stay. A day that changes meanwhile is left for
    the next pass, with the days after it. Raises ``ArchiveBusy`` while another process archives or
    restores.
    """
    async with archiving(database) as archiver:
        async for tenant, until in _tenants(database, settled_before, now):
            days = archive_events(
                archiver,
                tenant.id,
                min(before, until),
                directory,
                actor=actor,
                restored_until=restored_until,
            )
            try:
                async for day in days:
                    yield tenant, day
            except ArchiveRefused as error:
                _log.warning("retention.day_left", tenant=tenant.slug, detail=error.detail)


async def _tenants(
    database: Database, settled_before: SettledBefore, now: datetime
) -> AsyncIterator[tuple[Tenant, datetime]]:
    cursor = None
    while True:
        async with database.begin() as connection:
            page = await list_tenants(connection, cursor=cursor, limit=_PAGE)
            settled = [
                (tenant, await settled_before(connection, tenant, now)) for tenant in page.items
            ]
        for tenant_and_midnight in settled:
            yield tenant_and_midnight
        cursor = page.next_cursor
        if cursor is None:
            return
