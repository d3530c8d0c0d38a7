"""Budgets of departments: a notice when a running month has used up much of one, or all."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.accounts.clocks import acted_on
from backend.accounts.tenants import find_tenant
from backend.chargeback.months import months_of
from backend.chargeback.queries import MonthBook, month_book
from backend.chargeback.rules.statements import spent_by_code
from backend.kit.periodic import every
from backend.outbox.notices import LATE, Notice
from backend.outbox.queue import enqueue_notices
from backend.pricing.money import ZERO, exact_arithmetic, money
from backend.pricing.thresholds import threshold_reached
from backend.settings import Settings
from backend.spend.gathering import usage_version
from backend.storage.database import Database
from backend.storage.tables import chargeback_policies
from backend_client.types.notifications import DepartmentBudgetReached, NotificationKind

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
            tenant_ids = await _with_budgets(connection)
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


async def notify_of_department_budgets(
    connection: AsyncConnection, settings: Settings, tenant_id: str, now: datetime
) -> None:
    """Enqueue a notice of each budget of the running month that is passed: once a threshold.

    And of a month that has just ended: what was used last is counted after it.
    """
    tenant = await find_tenant(connection, tenant_id)
    months = await months_of(connection, tenant, now)
    for month in months.all:
        if month.period.start <= now < month.period.end + LATE and month.closed is None:
            book = await month_book(connection, settings, tenant, month.first_day, now)
            await enqueue_notices(connection, list(budget_notices(book, now)))


def budget_notices(book: MonthBook, now: datetime) -> Iterable[Notice]:
    """Yield the notices of a month: of each unit whose budget is passed, the highest threshold."""
    with exact_arithmetic():
        spent_of = spent_by_code(book.entries)
    month, currency = book.month.first_day, book.tenant.currency
    for unit in book.last.tree.units.values():
        spent = spent_of.get(unit.code, ZERO)
        if unit.budget is None:
            continue
        if (percent := threshold_reached(spent, unit.budget)) is not None:
            data = DepartmentBudgetReached(
                month=month,
                code=unit.code,
                name=unit.name,
                percent=percent,
                budget=money(unit.budget, currency),
                spent=money(spent, currency),
            )
            kind = NotificationKind.DEPARTMENT_BUDGET_REACHED
            yield Notice(kind, book.tenant.id, f"{month} {unit.code} {percent}", data, now)


async def _with_budgets(connection: AsyncConnection) -> list[str]:
    """Return the tenants with a budget in any of their policies, those on test clocks left out."""
    with_budget = chargeback_policies.c.policy.path_exists("$.units[*].budget ? (@ != null)")
    on_clocks_left_out = acted_on(chargeback_policies.c.tenant_id, None)
    query = select(chargeback_policies.c.tenant_id).where(with_budget, on_clocks_left_out)
    query = query.distinct()
    return sorted(await connection.scalars(query))
