"""Whether tenants' usage has changed, told as soon as it has: for pages that show it live."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.metering.errors import TooManyTails
from backend.storage.database import Database
from backend.storage.tables import usage_versions
from backend_client.types.usage import UsageVersion

_POLL_SECONDS = 0.5
HEARTBEAT_SECONDS = 5.0
"""How often a reader hears that there is nothing new, and that the connection holds."""
MOST_SECONDS = 900
"""A reader asks anew after a quarter of an hour."""
_MOST_READERS = 1000
_MOST_OF_A_TENANT = 50
_NOTHING = UsageVersion(version=0, last_event_at=None)


class Changes:
    """The readers that this process serves. One question a poll finds the changes of all.

    Bounded: at most 1,000 readers, and 50 of one tenant.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._readers: Counter[str] = Counter()
        self._now: dict[str, UsageVersion] = {}
        self._failure: Exception | None = None
        self._polled = asyncio.Condition()
        self._polling: asyncio.Task[None] | None = None

    async def follow(
        self,
        tenant_id: str,
        still_allowed: Callable[[], Awaitable[None]],
        *,
        seconds: float = MOST_SECONDS,
    ) -> AsyncGenerator[UsageVersion | None, None]:
        """Yield the version of the tenant's usage now and after each change of it.

        ``None`` every five seconds without a change. ``still_allowed`` is called before anything is
        yielded, and ends this by raising.

        Raises:
            TooManyTails: too many read here already.
            SQLAlchemyError: the database can't be asked.
        """
        if self._readers.total() >= _MOST_READERS or self._readers[tenant_id] >= _MOST_OF_A_TENANT:
            raise TooManyTails("Too many follow usage here.", retry_after_seconds=5)
        self._readers[tenant_id] += 1
        try:
            until = time.monotonic() + seconds
            last = await self._first(tenant_id)
            yield last
            while (left := until - time.monotonic()) > 0:
                now = await self._changed(tenant_id, last, min(left, HEARTBEAT_SECONDS))
                await still_allowed()
                yield now
                last = now or last
        finally:
            self._leave(tenant_id)

    async def _first(self, tenant_id: str) -> UsageVersion:
        """Ask for the tenant's version itself, which the polls have not asked for until now."""
        async with self._database.autocommit() as connection:
            now = (await _versions(connection, [tenant_id])).get(tenant_id, _NOTHING)
        self._now[tenant_id], self._failure = now, None
        if self._polling is None:
            self._polling = asyncio.create_task(self._poll())
        return now

    async def _changed(
        self, tenant_id: str, last: UsageVersion, seconds: float
    ) -> UsageVersion | None:
        def is_over() -> bool:
            return self._failure is not None or self._now.get(tenant_id, last) != last

        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds), self._polled:
                await self._polled.wait_for(is_over)
        if self._failure is not None:
            raise self._failure
        now = self._now.get(tenant_id, last)
        return now if now != last else None

    async def _poll(self) -> None:
        while self._readers:
            try:
                async with self._database.autocommit() as connection:
                    versions = self._now | await _versions(connection, list(self._readers))
                # Without those who left meanwhile
                self._now = {each: versions[each] for each in self._readers if each in versions}
                self._failure = None
            except (SQLAlchemyError, OSError) as failure:  # each reader raises it
                self._failure = failure
            async with self._polled:
                self._polled.notify_all()
            await asyncio.sleep(_POLL_SECONDS)
        self._polling = None

    def _leave(self, tenant_id: str) -> None:
        self._readers[tenant_id] -= 1
        if not self._readers[tenant_id]:
            del self._readers[tenant_id]
            self._now.pop(tenant_id, None)


async def _versions(
    connection: AsyncConnection, tenant_ids: Collection[str]
) -> dict[str, UsageVersion]:
    rows = await connection.execute(
        select(
            usage_versions.c.tenant_id, usage_versions.c.version, usage_versions.c.last_event_at
        ).where(usage_versions.c.tenant_id.in_(tenant_ids))
    )
    return {
        tenant_id: UsageVersion(version=version, last_event_at=last_event_at)
        for tenant_id, version, last_event_at in rows
    }
