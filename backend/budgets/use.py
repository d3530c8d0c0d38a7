"""What is used of a budget: the value of its owner's usage in a day or a month, and open holds."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from sqlalchemy import ColumnElement, Exists, exists, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.accounts.applications import find_application
from backend.accounts.keys.keys import find_key
from backend.budgets.errors import ApplicationWithoutBudget, KeyWithoutBudget
from backend.budgets.owners import (
    BudgetOwner,
    BudgetPeriod,
    OwnBudget,
    budget_period,
)
from backend.metering.events import GATEWAY_SOURCE
from backend.metering.queries.rated_usage import UsagePart, period_usage
from backend.pricing.charges.windows import WindowedTime, cut_at_windows
from backend.pricing.credit.call_cost import CallValues
from backend.pricing.money import ZERO, exact_arithmetic
from backend.pricing.periods import next_quarter_hour
from backend.storage.tables import events, key_budget_holds
from backend.subscriptions.queries import plan_in_force
from backend_client.types.accounts import Tenant
from backend_client.types.limits import KeyBudgetUse


async def budget_of_key(
    connection: AsyncConnection, tenant: Tenant, key_id: str, now: datetime
) -> KeyBudgetUse:
    """Return what a key has used of its budget; raise ``NotFound`` for one that has none."""
    key = await find_key(connection, tenant.id, key_id)
    if key.budget is None:
        raise KeyWithoutBudget()
    own = OwnBudget(BudgetOwner("key", key_id), key.budget)
    return await budget_use(connection, tenant, own, now)


async def budget_of_application(
    connection: AsyncConnection, tenant: Tenant, application_id: str, now: datetime
) -> KeyBudgetUse:
    """Return what is used of an application's budget; raise ``NotFound`` if it has none."""
    application = await find_application(connection, tenant.id, application_id)
    if application.budget is None:
        raise ApplicationWithoutBudget()
    own = OwnBudget(BudgetOwner("application", application_id), application.budget)
    return await budget_use(connection, tenant, own, now)


async def budget_use(
    connection: AsyncConnection,
    tenant: Tenant,
    own: OwnBudget,
    now: datetime,
    *,
    source: str = GATEWAY_SOURCE,
) -> KeyBudgetUse:
    """Return what is used of a budget now; raise ``NotFound`` without a plan."""
    budget, owner = own.budget, own.owner
    period = budget_period(budget, tenant, now)
    values = CallValues((await plan_in_force(connection, tenant, now)).plan)
    used = await value_of_period(connection, tenant, owner, period, values)
    open_holds = ~is_counted(source)
    held = await held_of(connection, tenant.id, owner.id, period, now, open_holds)
    with exact_arithmetic():
        remaining = max(budget.amount - used - held, ZERO)
    return KeyBudgetUse(
        budget=budget,
        currency=tenant.currency,
        used=used,
        held=held,
        remaining=remaining,
        start=period.start,
        resets_at=period.end,
    )


async def value_of_period(
    connection: AsyncConnection,
    tenant: Tenant,
    owner: BudgetOwner,
    period: BudgetPeriod,
    values: CallValues,
) -> Decimal:
    """Return what an owner's usage of a period is worth, exact."""
    times, labels = times_of(values, period), values.priced_labels
    (used,) = await period_usage(connection, tenant.id, [times], labels, of=part_of(owner))
    return values.value(used)


def times_of(values: CallValues, period: BudgetPeriod) -> list[WindowedTime]:
    """Return the times that a plan's windows divide a budget's period into."""
    return cut_at_windows(values.plan, period.start, next_quarter_hour(period.end))


def part_of(owner: BudgetOwner) -> UsagePart:
    """Return the part of a tenant's usage that an owner's budget pays."""
    if owner.label is not None:
        return UsagePart(label=owner.label)
    if owner.kind == "application":
        return UsagePart(application_id=owner.id)
    return UsagePart(key_id=owner.id)


def is_counted(source: str) -> Exists:
    """Whether the event of a hold's call is in the rollups."""
    return exists().where(
        events.c.tenant_id == key_budget_holds.c.tenant_id,
        events.c.sender == "gateway",
        events.c.source == source,
        events.c.id == key_budget_holds.c.id,
    )


async def held_of(
    connection: AsyncConnection,
    tenant_id: str,
    owner_id: str,
    period: BudgetPeriod,
    now: datetime,
    *more: ColumnElement[bool],
) -> Decimal:
    """Return what open holds of a period take of an owner's budget."""
    held = await connection.scalar(
        select(func.coalesce(func.sum(key_budget_holds.c.amount), 0)).where(
            key_budget_holds.c.tenant_id == tenant_id,
            key_budget_holds.c.key_id == owner_id,
            key_budget_holds.c.made_at >= period.start,
            key_budget_holds.c.made_at < period.end,
            key_budget_holds.c.lapses_at > now,
            *more,
        )
    )
    return Decimal(held or 0)
