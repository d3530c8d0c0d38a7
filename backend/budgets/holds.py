"""Budgets: what calls may cost in a day or a month of the tenant's time zone.

They are of API keys, of applications, and of values of declared labels, all alike, and work as hard
quotas do: all replicas share one row an owner, locked while a call is admitted. What is used is the
value of the owner's rollups at the prices of the plan in force, at most a second old; a call holds
the most that it can cost of each of its budgets until its event has been counted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Final

from sqlalchemy import ColumnElement, Exists, delete, exists, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.accounts.applications import find_application
from backend.accounts.keys import find_key
from backend.budgets.owners import (
    BudgetedCall,
    BudgetOwner,
    BudgetPeriod,
    OwnBudget,
    budget_period,
    exhausted,
)
from backend.errors import NotFound
from backend.kit.remembered import Remembered
from backend.metering.events import GATEWAY_SOURCE
from backend.metering.queries.rated_usage import UsagePart, period_usage
from backend.pricing.charges.windows import WindowedTime, cut_at_windows
from backend.pricing.credit.call_cost import CallValues
from backend.pricing.money import ZERO, exact_arithmetic
from backend.pricing.periods import next_quarter_hour
from backend.quotas.errors import ApplicationWithoutBudget, KeyWithoutBudget
from backend.quotas.holds import LAPSE
from backend.storage.database import Database
from backend.storage.tables import events, key_budget_holds, key_budget_states
from backend.subscriptions.queries import plan_in_force
from backend_client.types.accounts import Tenant
from backend_client.types.limits import KeyBudgetUse

_FRESH: Final = timedelta(seconds=1)
_LONGEST_WAIT: Final = timedelta(minutes=1)
_FRESH_SECONDS: Final = 1.0
_KEPT: Final = 10_000


class Budgets:
    """Reserves, settles and releases what calls cost of their budgets.

    ``source`` is that of the calls' events. Call ``reserve``, then ``settle`` or ``release`` with
    the same call; repeating either does nothing more.
    """

    def __init__(self, database: Database, *, source: str) -> None:
        self._database = database
        self._source = source
        self._values: Remembered[str, CallValues] = Remembered(seconds=_FRESH_SECONDS, most=_KEPT)

    async def reserve(
        self,
        call: BudgetedCall,
        model: str,
        most: Mapping[str, Decimal],
        possible: Sequence[Mapping[str, str]] = ({},),
    ) -> None:
        """Reserve what a call of ``most`` units can cost of each of its budgets, or of none.

        ``possible`` are the labels that it may come to have: the dearest are held. Raises
        ``BudgetExhausted``, reserving nothing, if a hard budget has less left, and ``NotFound``
        if the tenant has no plan.
        """
        tenant = call.tenant
        values = await self._values_of(tenant, call.made_at)
        cost = await self.greatest_cost(call, model, most, possible)
        async with self._database.begin() as connection:
            for own in call.in_order:
                period = budget_period(own.budget, tenant, call.made_at)
                used = await self._used(connection, call, own, period, values)
                held = await _held(connection, tenant.id, own.owner.id, period, call.made_at)
                with exact_arithmetic():
                    left = own.budget.amount - used - held
                if own.budget.limit == "hard" and cost > left:
                    raise exhausted(own, tenant, period, cost, left)
                await connection.execute(
                    insert(key_budget_holds)
                    .values(
                        tenant_id=tenant.id,
                        id=call.call_id,
                        key_id=own.owner.id,
                        amount=cost,
                        made_at=call.made_at,
                        lapses_at=call.made_at + LAPSE,
                    )
                    .on_conflict_do_nothing()
                )

    async def greatest_cost(
        self,
        call: BudgetedCall,
        model: str,
        most: Mapping[str, Decimal],
        possible: Sequence[Mapping[str, str]],
    ) -> Decimal:
        """Return what a call of ``most`` units can cost; raise ``NotFound`` without a plan.

        ``possible`` are the labels that it may come to have: the dearest count.
        """
        values = await self._values_of(call.tenant, call.made_at)
        return values.greatest_of(model, most, call.made_at, possible)

    async def cost(
        self,
        call: BudgetedCall,
        model: str,
        quantities: Mapping[str, Decimal],
        labels: Mapping[str, str],
    ) -> Decimal:
        """Return what a call has cost; raise ``NotFound`` without a plan."""
        values = await self._values_of(call.tenant, call.made_at)
        return values.cost(model, quantities, call.made_at, values.labels_of(labels))

    async def refresh(self, call: BudgetedCall) -> None:
        """Read what is used of the budgets anew, unless it was read within the last second.

        Raises ``NotFound`` if the tenant has no plan.
        """
        values = await self._values_of(call.tenant, call.made_at)
        async with self._database.begin() as connection:
            for own in call.in_order:
                period = budget_period(own.budget, call.tenant, call.made_at)
                await self._used(connection, call, own, period, values)

    async def settle(
        self,
        call: BudgetedCall,
        model: str,
        quantities: Mapping[str, Decimal],
        labels: Mapping[str, str] | None = None,
    ) -> None:
        """Lower holds to what the call has cost, until its event is counted; may be repeated."""
        try:
            cost = await self.cost(call, model, quantities, labels or {})
        except NotFound:  # the plan has ended meanwhile, and its usage costs nothing
            await self.release(call)
            return
        async with self._database.begin() as connection:
            await connection.execute(
                update(key_budget_holds)
                .where(
                    key_budget_holds.c.tenant_id == call.tenant.id,
                    key_budget_holds.c.id == call.call_id,
                )
                .values(amount=cost)
            )

    async def release(self, call: BudgetedCall) -> None:
        """Delete the holds of a call that was not made, or costs nothing."""
        async with self._database.begin() as connection:
            await connection.execute(
                delete(key_budget_holds).where(
                    key_budget_holds.c.tenant_id == call.tenant.id,
                    key_budget_holds.c.id == call.call_id,
                )
            )

    async def _values_of(self, tenant: Tenant, at: datetime) -> CallValues:
        return await self._values.get(tenant.id, partial(self._read_values, tenant, at))

    async def _read_values(self, tenant: Tenant, at: datetime) -> CallValues:
        async with self._database.begin() as connection:
            return CallValues((await plan_in_force(connection, tenant, at)).plan)

    async def _used(
        self,
        connection: AsyncConnection,
        call: BudgetedCall,
        own: OwnBudget,
        period: BudgetPeriod,
        values: CallValues,
    ) -> Decimal:
        """Lock the owner's row and return what is used of the period, at most a second old."""
        tenant_id, now, owner = call.tenant.id, call.made_at, own.owner
        states = key_budget_states
        of_owner = (states.c.tenant_id == tenant_id, states.c.key_id == owner.id)
        row = insert(states).values(tenant_id=tenant_id, key_id=owner.id)
        locked = await connection.execute(
            row.on_conflict_do_update(
                index_elements=["tenant_id", "key_id"], set_={"used": states.c.used}
            ).returning(states.c.period_start, states.c.taken_at, states.c.used)
        )
        start, taken_at, used = locked.one()
        # What was read after the call began is as good: calls wait here for one another
        if start == period.start and taken_at - _LONGEST_WAIT <= now < taken_at + _FRESH:
            return Decimal(used)
        # Before the sums are read: usage whose hold is deleted here is then in them
        await self._forget_counted(connection, tenant_id, owner.id, now)
        used = await value_of_period(connection, call.tenant, owner, period, values)
        await connection.execute(
            update(states)
            .where(*of_owner)
            .values(period_start=period.start, taken_at=now, used=used)
        )
        return used

    async def _forget_counted(
        self, connection: AsyncConnection, tenant_id: str, owner_id: str, now: datetime
    ) -> None:
        await connection.execute(
            delete(key_budget_holds).where(
                key_budget_holds.c.tenant_id == tenant_id,
                key_budget_holds.c.key_id == owner_id,
                or_(key_budget_holds.c.lapses_at <= now, _counted(self._source)),
            )
        )


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
    open_holds = ~_counted(source)
    held = await _held(connection, tenant.id, owner.id, period, now, open_holds)
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


def _counted(source: str) -> Exists:
    """Whether the event of a hold's call is in the rollups."""
    return exists().where(
        events.c.tenant_id == key_budget_holds.c.tenant_id,
        events.c.sender == "gateway",
        events.c.source == source,
        events.c.id == key_budget_holds.c.id,
    )


async def _held(
    connection: AsyncConnection,
    tenant_id: str,
    owner_id: str,
    period: BudgetPeriod,
    now: datetime,
    *more: ColumnElement[bool],
) -> Decimal:
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
