"""The worker's side of archives: moves events that are old enough into files."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import structlog

from backend.kit.periodic import every
from backend.metering.archives.retention import SettledBefore, archive_tenants
from backend.metering.errors import ArchiveRefused
from backend.storage.database import Database

_log = structlog.get_logger(__name__)


EVERY_SECONDS: Final = 3600.0
RESTORED_DAYS: Final = 7
"""How long restored events stay before they are archived again."""
_ACTOR: Final = "worker"


class ArchivesWorker:
    """Archives events as they get old.

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

        await every(EVERY_SECONDS, act, stop, name="retention")

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
