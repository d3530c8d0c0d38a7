"""The pass that archives events as they get old, one tenant after another.

Metering does not decide which events may go: a billing period is rated again while late events can
reach it, so the billing rooms pass in ``SettledBefore``.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, TypeAlias

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.accounts.tenants import list_tenants
from backend.kit.periodic import every
from backend.metering.archives.archive import ArchivedDay, archive_events, archiving
from backend.metering.errors import ArchiveRefused
from backend.storage.database import Database
from backend_client.types.accounts import Tenant

_log = structlog.get_logger(__name__)

PASS_SECONDS: Final = 3600.0
"""Seconds between two passes. At each midnight (UTC) one more day is old enough."""
RESTORED_DAYS: Final = 7
"""How long restored events stay before they are archived again."""
_PAGE = 200
_ACTOR = "worker"

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


class EventRetention:
    """The worker's task: archives events as they get old.

    Any number may run; one at a time works.
    """

    def __init__(
        self, database: Database, settled_before: SettledBefore, days: int, directory: Path
    ) -> None:
        self._database = database
        self._settled_before = settled_before
        self._days = days
        self._directory = directory

    async def run(self, stop: asyncio.Event) -> None:
        """Work until ``stop`` is set; survive the loss of PostgreSQL and a full disk."""

        async def act() -> None:
            try:
                await self.once(datetime.now(UTC), stop)
            except ArchiveRefused as error:
                _log.info("retention.waits", detail=error.detail)

        await every(PASS_SECONDS, act, stop, name="retention")

    async def once(self, now: datetime, stop: asyncio.Event) -> int:
        """Make one pass; return how many events it archived.

        On ``stop`` the current day is finished first.
        """
        before = _midnight(now) - timedelta(days=self._days)
        count = 0
        async with contextlib.aclosing(
            archive_tenants(
                self._database,
                self._settled_before,
                self._directory,
                before,
                now,
                actor=_ACTOR,
                restored_until=now - timedelta(days=RESTORED_DAYS),
            )
        ) as days:
            async for _, day in days:
                count += day.event_count
                if stop.is_set():
                    break
        if count:
            _log.info("retention.archived", events=count, before=before.date().isoformat())
        return count


def _midnight(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
