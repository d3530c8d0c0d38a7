"""Holds on budgets: what calls may cost in a day or a month of the tenant's time zone.

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

from sqlalchemy import delete, or_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.budgets.owners import (
    BudgetedCall,
    BudgetPeriod,
    OwnBudget,
    budget_period,
    exhausted,
)
from backend.budgets.use import held_of, is_counted, value_of_period
from backend.errors import NotFound
from backend.kit.remembered import Remembered
from backend.pricing.credit.call_cost import CallValues
from backend.pricing.money import exact_arithmetic
from backend.quotas.holds import LAPSE
from backend.storage.database import Database
from backend.storage.tables import key_budget_holds, key_budget_states
from backend.subscriptions.queries import plan_in_force
from backend_client.types.accounts import Tenant

_FRESH: Final = timedelta(seconds=1)
_LONGEST_WAIT: Final = timedelta(minutes=1)
_FRESH_SECONDS: Final = 1.0
_KEPT: Final = 10_000


class BudgetHolds:
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
                held = await held_of(connection, tenant.id, own.owner.id, period, call.made_at)
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
                or_(key_budget_holds.c.lapses_at <= now, is_counted(self._source)),
            )
        )
