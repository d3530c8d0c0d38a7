"""Tenants and applications, cached for a few seconds."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import func, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.storage.database import Database
from backend.storage.outages import is_outage
from backend.storage.tables import api_keys, applications, event_archives, tenants

REMEMBERED_SECONDS = 5.0
"""Short, so that it is safe: a new tenant is looked up when it is first named, and a removed one
counts for nobody, because the worker checks again."""
OUTAGE_SECONDS = 600.0
"""How long they are cached while PostgreSQL is away, so that ingest continues without it."""
_LOOK_UP_SECONDS = 0.5
_MOST = 50_000


@dataclass(slots=True)
class _Entries:
    """What was looked up since a moment on the monotonic clock."""

    looked_up_at: float
    tenants: dict[str, str] = field(default_factory=dict)
    closed: set[str] = field(default_factory=set)
    """Tenants whose own credentials may send no events."""
    on_clocks: set[str] = field(default_factory=set)
    """Tenants on test clocks, as which they were made."""
    archived: dict[str, datetime] = field(default_factory=dict)
    applications: set[tuple[str, str]] = field(default_factory=set)
    keys: set[tuple[str, str]] = field(default_factory=set)


class Directory:
    """Finds tenants by id or slug, and their applications. One a process.

    A batch names many at once, which are looked up in one query: so it keeps sets of its own rather
    than ``kit.remembered``, which has a look-up for each key.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._now = _Entries(0.0)
        self._before = _Entries(0.0)
        self._forget_at = 0.0

    async def tenants(self, subjects: Iterable[str]) -> dict[str, str]:
        """Return the id of the tenant that each subject names, where there is one.

        Raises the error of an outage of PostgreSQL if a subject is not cached.
        """
        self._forget_in_time()
        wanted = set(subjects)
        unknown = wanted - self._now.tenants.keys()
        if unknown:
            try:
                async with self._looking_up(), self._database.begin() as connection:
                    await self._find_tenants(connection, unknown)
            except Exception as error:
                if not is_outage(error) or not unknown <= self._before.tenants.keys():
                    raise
                self._hold_on()
        entries = self._now.tenants
        return {subject: entries[subject] for subject in wanted if subject in entries}

    def archived_until(self, tenant_ids: Iterable[str]) -> dict[str, datetime]:
        """Return where archived days end, for tenants that ``tenants`` has just found."""
        archived = self._now.archived
        return {tenant_id: archived[tenant_id] for tenant_id in tenant_ids if tenant_id in archived}

    async def clocks(self, tenant_ids: Iterable[str]) -> dict[str, datetime]:
        """Return where test clocks stand, for tenants that ``tenants`` has just found.

        Never from before: an event may be of the instant to which a clock was just advanced.
        """
        wanted = self._now.on_clocks.intersection(tenant_ids)
        if not wanted:
            return {}
        async with self._looking_up(), self._database.begin() as connection:
            query = select(tenants.c.id, tenants.c.clock_at).where(tenants.c.id.in_(wanted))
            rows = await connection.execute(query)
            return {tenant_id: clock_at for tenant_id, clock_at in rows if clock_at is not None}

    def takes_events_of(self, tenant_id: str) -> bool:
        """Tell whether a tenant that ``tenants`` has just found may send events by itself."""
        return tenant_id not in self._now.closed

    async def applications(self, wanted: set[tuple[str, str]]) -> set[tuple[str, str]]:
        """Return those pairs of tenant and application that exist.

        Raises the error of an outage of PostgreSQL if a subject is not cached.
        """
        self._forget_in_time()
        unknown = wanted - self._now.applications
        if unknown:
            try:
                async with self._looking_up(), self._database.begin() as connection:
                    await self._find_applications(connection, {tenant for tenant, _ in unknown})
            except Exception as error:
                if not is_outage(error) or not unknown <= self._before.applications:
                    raise
                self._hold_on()
        return wanted & self._now.applications

    async def keys(self, wanted: set[tuple[str, str]]) -> set[tuple[str, str]]:
        """Return those pairs of tenant and API key that there are, revoked keys included.

        Raises what an outage of PostgreSQL does where one was not named before.
        """
        self._forget_in_time()
        unknown = wanted - self._now.keys
        if unknown:
            try:
                async with self._looking_up(), self._database.begin() as connection:
                    await self._find_keys(connection, unknown)
            except Exception as error:
                if not is_outage(error) or not unknown <= self._before.keys:
                    raise
                self._hold_on()
        return wanted & self._now.keys

    @asynccontextmanager
    async def _looking_up(self) -> AsyncIterator[None]:
        """Give a look-up less time if earlier answers can be used instead."""
        seconds = _LOOK_UP_SECONDS if self._before.tenants else None
        async with asyncio.timeout(seconds):
            yield

    def _forget_in_time(self) -> None:
        now = time.monotonic()
        most = len(self._now.tenants) + len(self._now.applications) + len(self._now.keys)
        if now >= self._forget_at or most > _MOST:
            if self._now.tenants:
                self._before = self._now
            if now - self._before.looked_up_at > OUTAGE_SECONDS:
                self._before = _Entries(now)
            self._now = _Entries(now)
            self._forget_at = now + REMEMBERED_SECONDS

    def _hold_on(self) -> None:
        """Use the earlier answers until the next look-up is due."""
        before = self._before
        self._now.tenants = before.tenants | self._now.tenants
        self._now.archived = before.archived | self._now.archived
        self._now.closed |= before.closed
        self._now.on_clocks |= before.on_clocks
        self._now.applications |= before.applications
        self._now.keys |= before.keys
        self._now.looked_up_at = before.looked_up_at

    async def _find_tenants(self, connection: AsyncConnection, subjects: set[str]) -> None:
        archived_until = (
            select(func.max(event_archives.c.end_at))
            .where(
                event_archives.c.tenant_id == tenants.c.id, event_archives.c.restored_at.is_(None)
            )
            .scalar_subquery()
        )
        rows = await connection.execute(
            select(
                tenants.c.id, tenants.c.slug, tenants.c.ingest, tenants.c.clock_at, archived_until
            ).where(or_(tenants.c.id.in_(subjects), tenants.c.slug.in_(subjects)))
        )
        for tenant_id, slug, ingest, clock_at, until in rows:
            if clock_at is not None:
                self._now.on_clocks.add(tenant_id)
            if not ingest:
                self._now.closed.add(tenant_id)
            self._now.tenants[tenant_id] = self._now.tenants[slug] = tenant_id
            if until is not None:
                self._now.archived[tenant_id] = until

    async def _find_applications(self, connection: AsyncConnection, tenant_ids: set[str]) -> None:
        rows = await connection.execute(
            select(applications.c.tenant_id, applications.c.id).where(
                applications.c.tenant_id.in_(tenant_ids)
            )
        )
        self._now.applications.update(
            (tenant_id, application_id) for tenant_id, application_id in rows
        )

    async def _find_keys(self, connection: AsyncConnection, wanted: set[tuple[str, str]]) -> None:
        rows = await connection.execute(
            select(api_keys.c.tenant_id, api_keys.c.id).where(
                tuple_(api_keys.c.tenant_id, api_keys.c.id).in_(sorted(wanted))
            )
        )
        self._now.keys.update((tenant_id, key_id) for tenant_id, key_id in rows)
