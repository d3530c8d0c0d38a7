"""What is spent of many budgets at a time, for those who tell of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlalchemy.ext.asyncio import AsyncConnection

from backend.budgets.owners import BudgetPeriod, OwnBudget, budget_period, times_to_tell
from backend.budgets.use import part_of, times_of
from backend.errors import NotFound
from backend.metering.queries.rated_usage import usage_of_parts
from backend.pricing.credit.call_cost import CallValues
from backend.subscriptions.queries import plan_in_force
from backend_client.types.accounts import Tenant


@dataclass(frozen=True, slots=True)
class SpentBudget:
    """A budget, and what is spent of it in one of its periods, exact."""

    own: OwnBudget
    period: BudgetPeriod
    spent: Decimal


async def spent_budgets(
    connection: AsyncConnection,
    tenant: Tenant,
    budgets: Iterable[tuple[OwnBudget, datetime]],
    now: datetime,
) -> list[SpentBudget]:
    """Return what is spent of a tenant's budgets in the periods whose passing is to be told.

    In as many statements for a thousand budgets as for a few. Each comes with since when it has an
    owner. Periods in which there was no plan are left out: their usage has no price.
    """
    asked = [
        (own, at)
        for own, since in budgets
        for at in times_to_tell(own.budget, tenant, now, since=since)
    ]
    plans: dict[datetime, CallValues] = {}
    for at in {at for _, at in asked}:  # now, and the ends of a day and of a month at most
        try:
            plans[at] = CallValues((await plan_in_force(connection, tenant, at)).plan)
        except NotFound:
            continue
    priced = [
        (own, budget_period(own.budget, tenant, at), plans[at]) for own, at in asked if at in plans
    ]
    values_of = {period: values for _, period, values in priced}
    stretches = [
        (times_of(values, period), values.priced_labels) for period, values in values_of.items()
    ]
    parts = {part_of(own.owner) for own, _, _ in priced}
    usage = await usage_of_parts(connection, tenant.id, stretches, parts)
    used = dict(zip(values_of, usage, strict=True))
    return [
        SpentBudget(own, period, values.value(used[period][part_of(own.owner)]))
        for own, period, values in priced
    ]
