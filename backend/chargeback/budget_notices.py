"""Budgets of departments: a notice when a running month has used up much of one, or all."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.accounts.clocks import acted_on
from backend.accounts.tenants import find_tenant
from backend.chargeback.months import months_of
from backend.chargeback.queries import MonthBook, month_book
from backend.chargeback.rules.statements import spent_by_code
from backend.outbox.notices import LATE, Notice
from backend.outbox.queue import enqueue_notices
from backend.pricing.money import ZERO, exact_arithmetic, money
from backend.pricing.thresholds import threshold_reached
from backend.settings import Settings
from backend.storage.tables import chargeback_policies
from backend_client.types.notifications import DepartmentBudgetReached, NotificationKind


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


async def tenants_with_budgets(connection: AsyncConnection) -> list[str]:
    """Return the tenants with a budget in any of their policies, those on test clocks left out."""
    with_budget = chargeback_policies.c.policy.path_exists("$.units[*].budget ? (@ != null)")
    on_clocks_left_out = acted_on(chargeback_policies.c.tenant_id, None)
    query = select(chargeback_policies.c.tenant_id).where(with_budget, on_clocks_left_out)
    query = query.distinct()
    return sorted(await connection.scalars(query))
