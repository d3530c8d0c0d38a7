"""The worker's side of budgets: gives notices, and clears up after budgets that were removed."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

from sqlalchemy import select

from backend.budgets.ended import forget_ended_budgets
from backend.budgets.notices import budgets_by_tenant, notify_of_budgets
from backend.kit.periodic import every
from backend.storage.database import Database
from backend.storage.tables import usage_versions

NOTICES_SECONDS: Final = 60.0
ENDED_SECONDS: Final = 3600.0
"""Nothing waits for it: what has lapsed counts no more, and what is kept of a budget is a row."""


class BudgetsWorker:
    """Looks at the budgets of tenants whose usage changed. Any number may run at once."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._seen: dict[str, tuple[int, frozenset[tuple[str, Decimal, str]]]] = {}

    async def run(self, stop: asyncio.Event) -> None:
        """Work until ``stop`` is set; survive the loss of PostgreSQL."""

        async def act() -> None:
            await self.look(datetime.now(UTC))

        await every(NOTICES_SECONDS, act, stop, name="budgets")

    async def look(self, now: datetime) -> int:
        """Enqueue what is due; return how many tenants were looked at."""
        async with self._database.begin() as connection:
            budgets = await budgets_by_tenant(connection, None)
            rows = await connection.execute(
                select(usage_versions.c.tenant_id, usage_versions.c.version).where(
                    usage_versions.c.tenant_id.in_(budgets)
                )
            )
            versions = {row["tenant_id"]: int(row["version"]) for row in rows.mappings()}
        self._seen = {tenant: seen for tenant, seen in self._seen.items() if tenant in budgets}
        looked = 0
        for tenant_id, own in budgets.items():
            state = versions.get(tenant_id, 0), frozenset(each.state for each in own)
            if self._seen.get(tenant_id) != state:
                async with self._database.begin() as connection:
                    await notify_of_budgets(connection, tenant_id, own, now)
                self._seen[tenant_id] = state
                looked += 1
        return looked


class EndedBudgetsWorker:
    """Clears up after budgets that were removed. Any number may run at once."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def run(self, stop: asyncio.Event) -> None:
        """Work until ``stop`` is set; survive the loss of PostgreSQL."""

        async def act() -> None:
            await forget_ended_budgets(self._database, datetime.now(UTC))

        await every(ENDED_SECONDS, act, stop, name="ended_budgets")
