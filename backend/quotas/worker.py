"""The worker's side of quotas: gives notices of those that are used up, or nearly."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import select

from backend.accounts.clocks import acted_on
from backend.kit.periodic import every
from backend.quotas.notices import notify_of_quotas
from backend.storage.database import Database
from backend.storage.tables import usage_versions

EVERY_SECONDS: Final = 60.0


class QuotasWorker:
    """Looks at the quotas of tenants whose usage changed. Any number may run at once."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._seen: dict[str, int] = {}

    async def run(self, stop: asyncio.Event) -> None:
        """Work until ``stop`` is set; survive the loss of PostgreSQL."""

        async def act() -> None:
            await self.look(datetime.now(UTC))

        await every(EVERY_SECONDS, act, stop, name="quotas")

    async def look(self, now: datetime) -> int:
        """Enqueue what is due; return how many tenants were looked at."""
        query = select(usage_versions.c.tenant_id, usage_versions.c.version).where(
            acted_on(usage_versions.c.tenant_id, None)
        )
        async with self._database.begin() as connection:
            versions: dict[str, int] = dict((await connection.execute(query)).all())
        changed = [
            tenant_id
            for tenant_id, version in versions.items()
            if self._seen.get(tenant_id) != version
        ]
        for tenant_id in changed:
            async with self._database.begin() as connection:
                await notify_of_quotas(connection, tenant_id, now)
            self._seen[tenant_id] = versions[tenant_id]
        return len(changed)
