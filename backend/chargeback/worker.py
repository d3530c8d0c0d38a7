"""The worker's side of chargeback: gives notices of departments' budgets."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Final

from backend.chargeback.budget_notices import notify_of_department_budgets, tenants_with_budgets
from backend.kit.periodic import every
from backend.settings import Settings
from backend.spend.gathering import usage_version
from backend.storage.database import Database

EVERY_SECONDS: Final = 900.0


class DepartmentBudgetsWorker:
    """Looks at the budgets of tenants whose usage changed. Any number may run at once."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        self._settings = settings
        self._seen: dict[str, int] = {}

    async def run(self, stop: asyncio.Event) -> None:
        """Work until ``stop`` is set; survive the loss of PostgreSQL."""

        async def act() -> None:
            await self.look(datetime.now(UTC))

        await every(EVERY_SECONDS, act, stop, name="department_budgets")

    async def look(self, now: datetime) -> int:
        """Enqueue what is due; return how many tenants were looked at."""
        async with self._database.begin() as connection:
            tenant_ids = await tenants_with_budgets(connection)
        looked = 0
        for tenant_id in tenant_ids:
            async with self._database.begin() as connection:
                version = await usage_version(connection, tenant_id)
                if self._seen.get(tenant_id) == version:
                    continue
                await notify_of_department_budgets(connection, self._settings, tenant_id, now)
            self._seen[tenant_id] = version
            looked += 1
        return looked
