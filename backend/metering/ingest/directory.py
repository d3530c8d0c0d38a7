"""Which tenants and applications there are, remembered for a few seconds."""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.storage.database import Database
from backend.storage.tables import applications, event_archives, tenants

REMEMBERED_SECONDS = 5.0
"""Safe, as long as it is short: what was made is looked up when it is first named, and what was
removed in the meantime counts for nobody, because the worker looks too."""
_MOST = 50_000


class Directory:
    """Finds tenants by id or slug, and their applications. One a process."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._tenants: dict[str, str] = {}
        self._archived: dict[str, datetime] = {}
        self._applications: set[tuple[str, str]] = set()
        self._forget_at = 0.0

    async def tenants(self, subjects: Iterable[str]) -> dict[str, str]:
        """Return the id of the tenant that each subject names, where there is one."""
        self._forget_in_time()
        wanted = set(subjects)
        unknown = wanted - self._tenants.keys()
        if unknown:
            async with self._database.begin() as connection:
                await self._find_tenants(connection, unknown)
        known = self._tenants
        return {subject: known[subject] for subject in wanted if subject in known}

    def archived_until(self, tenant_ids: Iterable[str]) -> dict[str, datetime]:
        """Return where archived days end, of the tenants that ``tenants`` has just found."""
        known = self._archived
        return {tenant_id: known[tenant_id] for tenant_id in tenant_ids if tenant_id in known}

    async def applications(self, wanted: set[tuple[str, str]]) -> set[tuple[str, str]]:
        """Return those pairs of tenant and application that there are."""
        self._forget_in_time()
        unknown = wanted - self._applications
        if unknown:
            async with self._database.begin() as connection:
                await self._find_applications(connection, {tenant for tenant, _ in unknown})
        return wanted & self._applications

    def _forget_in_time(self) -> None:
        now = time.monotonic()
        if now >= self._forget_at or len(self._tenants) + len(self._applications) > _MOST:
            self._tenants, self._archived, self._applications = {}, {}, set()
            self._forget_at = now + REMEMBERED_SECONDS

    async def _find_tenants(self, connection: AsyncConnection, subjects: set[str]) -> None:
        archived_until = (
            select(func.max(event_archives.c.end_at))
            .where(
                event_archives.c.tenant_id == tenants.c.id, event_archives.c.restored_at.is_(None)
            )
            .scalar_subquery()
        )
        rows = await connection.execute(
            select(tenants.c.id, tenants.c.slug, archived_until).where(
                or_(tenants.c.id.in_(subjects), tenants.c.slug.in_(subjects))
            )
        )
        for tenant_id, slug, until in rows:
            self._tenants[tenant_id] = self._tenants[slug] = tenant_id
            if until is not None:
                self._archived[tenant_id] = until

    async def _find_applications(self, connection: AsyncConnection, tenant_ids: set[str]) -> None:
        rows = await connection.execute(
            select(applications.c.tenant_id, applications.c.id).where(
                applications.c.tenant_id.in_(tenant_ids)
            )
        )
        self._applications.update((tenant_id, application_id) for tenant_id, application_id in rows)
