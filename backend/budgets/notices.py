"""Notices when much of a budget of a key, an application or a label is used, or all of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlalchemy import RowMapping, select
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.accounts.budgets import budget_of
from backend.accounts.clocks import acted_on
from backend.accounts.tenants import find_tenant
from backend.budgets.owners import BudgetOwner, OwnBudget
from backend.budgets.spent import SpentBudget, spent_budgets
from backend.errors import NotFound
from backend.outbox.notices import Notice
from backend.outbox.queue import enqueue_notices
from backend.pricing.thresholds import threshold_reached
from backend.storage.tables import api_keys, applications, label_budgets
from backend_client.types.accounts import Tenant
from backend_client.types.common import plain
from backend_client.types.notifications import (
    BudgetReached,
    CreditAmount,
    KeyBudgetReached,
    NotificationKind,
)


@dataclass(frozen=True, slots=True)
class NamedBudget:
    """A budget, and the name by which its tenant knows whose it is."""

    own: OwnBudget
    name: str
    since: datetime
    """When there was an owner of it first."""

    @property
    def state(self) -> tuple[str, Decimal, str]:
        """What has to change for another notice, beside usage."""
        return self.own.owner.id, self.own.budget.amount, self.own.budget.period


async def notify_of_call_budgets(
    connection: AsyncConnection, tenant_id: str, now: datetime
) -> None:
    """Enqueue a notice of each of a tenant's budgets that is reached: once a threshold."""
    budgets = await budgets_by_tenant(connection, tenant_id)
    await notify_of_budgets(connection, tenant_id, budgets.get(tenant_id, []), now)


async def notify_of_budgets(
    connection: AsyncConnection, tenant_id: str, budgets: Collection[NamedBudget], now: datetime
) -> None:
    """Enqueue the notices that are due of a tenant's budgets, each once."""
    if not budgets:
        return
    try:
        tenant = await find_tenant(connection, tenant_id)
    except NotFound:  # deleted meanwhile
        return
    names = {each.own.owner: each.name for each in budgets}
    since = [(each.own, each.since) for each in budgets]
    notices: list[Notice] = []
    for spent in await spent_budgets(connection, tenant, since, now):
        notices += _notices(tenant, names[spent.own.owner], spent, now)
    await enqueue_notices(connection, notices)


def _notices(tenant: Tenant, name: str, reached: SpentBudget, now: datetime) -> Iterable[Notice]:
    owner, amount = reached.own.owner, reached.own.budget.amount
    percent = threshold_reached(reached.spent, amount)
    if percent is None:
        return
    spent = CreditAmount(amount=reached.spent, currency=tenant.currency)
    budget = CreditAmount(amount=amount, currency=tenant.currency)
    # By the amount as well: a budget that was raised is reached anew
    if owner.kind == "key":
        ends = reached.period.end
        of_key = KeyBudgetReached(
            key_id=owner.id, name=name, percent=percent, budget=budget, used=spent, resets_at=ends
        )
        subject = f"{owner.id} {amount:f} {ends} {percent}"
        yield Notice(NotificationKind.KEY_BUDGET_REACHED, tenant.id, subject, of_key, now)
        return
    data = BudgetReached(
        of=owner.kind,
        id=owner.id,
        name=name,
        percent=percent,
        limit=reached.own.budget.limit,
        period=reached.own.budget.period,
        budget=budget,
        spent=spent,
        start=reached.period.start,
        resets_at=reached.period.end,
    )
    begun = reached.period.start.date().isoformat()
    subject = f"{owner.id} {begun} {plain(amount)} {percent}"
    yield Notice(NotificationKind.BUDGET_REACHED, tenant.id, subject, data, now)


async def budgets_by_tenant(
    connection: AsyncConnection, only: str | None
) -> dict[str, list[NamedBudget]]:
    """Return all budgets, or a tenant's; of all, not those of tenants on test clocks."""
    budgets: defaultdict[str, list[NamedBudget]] = defaultdict(list)

    def add(row: RowMapping, owner: BudgetOwner, name: str) -> None:
        if (budget := budget_of(row)) is not None:
            named = NamedBudget(OwnBudget(owner, budget), name, row["created_at"])
            budgets[row["tenant_id"]].append(named)

    of_keys = select(api_keys).where(
        api_keys.c.budget_amount.is_not(None),
        api_keys.c.revoked_at.is_(None),
        acted_on(api_keys.c.tenant_id, only),
    )
    for row in (await connection.execute(of_keys)).mappings():
        add(row, BudgetOwner("key", row["id"]), row["name"])
    query = select(applications).where(
        applications.c.budget_amount.is_not(None), acted_on(applications.c.tenant_id, only)
    )
    for row in (await connection.execute(query)).mappings():
        add(row, BudgetOwner("application", row["id"]), row["name"])
    of_labels = select(label_budgets).where(acted_on(label_budgets.c.tenant_id, only))
    for row in (await connection.execute(of_labels)).mappings():
        owner = BudgetOwner("label", row["id"], (row["label"], row["value"]))
        add(row, owner, f"{row['label']}={row['value']}")
    return dict(budgets)
