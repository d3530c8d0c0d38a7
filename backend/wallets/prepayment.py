"""Calls on prepaid plans: paid from the wallet as they are made.

A call reserves the greatest cost that it can have and settles its actual cost, also when its event
is corrected later. What was settled is what the period's lines add up to, to the last digit; see
``paid_by_wallet``.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import partial

from sqlalchemy.ext.asyncio import AsyncConnection

from backend.accounts.tenants import find_tenant
from backend.errors import NotFound
from backend.kit.remembered import Remembered
from backend.pricing.credit.call_cost import CallCosts
from backend.pricing.credit.wallet import InsufficientCredit
from backend.pricing.money import ZERO, exact_arithmetic, round_to_minor_unit
from backend.pricing.rating.rated_period import RatedPeriod
from backend.storage.database import Database
from backend.subscriptions.queries import plan_in_force
from backend.wallets import holds
from backend.wallets.errors import CreditExhausted
from backend.wallets.top_ups import refresh_and_check
from backend_client.types.subscriptions import SubscriptionState

_FRESH_SECONDS = 1.0
_KEPT = 10_000


@dataclass(frozen=True, slots=True)
class _CallPrices:
    """What calls cost from ``start`` until ``end`` (None: open);

    ``costs`` is None if not prepaid.
    """

    costs: CallCosts | None
    start: datetime
    end: datetime | None

    def in_force(self, at: datetime) -> bool:
        """Return whether it has the price of a call at that moment."""
        return self.start <= at and (self.end is None or at < self.end)


class Prepayment:
    """Reserves and settles calls of prepaid plans; for tenants on other plans it does nothing.

    Call ``reserve``, then ``settle`` or ``release`` with the same ``call_id``; repeating any of
    them does nothing.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._costs: Remembered[str, _CallPrices] = Remembered(seconds=_FRESH_SECONDS, most=_KEPT)

    async def applies(self, tenant_id: str, at: datetime) -> bool:
        """Return whether a call at that moment is paid from the wallet."""
        return await self._costs_of(tenant_id, at) is not None

    async def greatest_cost(
        self,
        tenant_id: str,
        model: str,
        most: Mapping[str, Decimal],
        at: datetime,
        possible: Sequence[Mapping[str, str]],
    ) -> Decimal | None:
        """Return what a call of ``most`` units can cost; None if the wallet does not pay for it.

        ``possible`` are the labels that it may come to have: the dearest count.
        """
        costs = await self._costs_of(tenant_id, at)
        return None if costs is None else costs.greatest_of(model, most, at, possible)

    async def cost(
        self,
        tenant_id: str,
        model: str,
        quantities: Mapping[str, Decimal],
        at: datetime,
        labels: Mapping[str, str],
    ) -> Decimal:
        """Return what a call takes of the wallet that was made at that moment."""
        costs = await self._costs_of(tenant_id, at)
        return ZERO if costs is None else costs.cost(model, quantities, at, costs.labels_of(labels))

    async def reserve(
        self,
        tenant_id: str,
        call_id: str,
        model: str,
        most: Mapping[str, Decimal],
        at: datetime,
        possible: Sequence[Mapping[str, str]] = ({},),
    ) -> bool:
        """Reserve what a call of ``most`` units can cost; return whether the plan is prepaid.

        ``possible`` are the labels that it may come to have: the dearest are held.

        Raises ``CreditExhausted``, reserving nothing, if there is less; the wallet's rule may then
        ask for a top-up, though the call is not made.
        """
        cost = await self.greatest_cost(tenant_id, model, most, at, possible)
        if cost is None:
            return False
        try:
            async with self._database.begin() as connection:
                await holds.reserve(connection, tenant_id, call_id, model, cost, at)
        except InsufficientCredit as error:
            async with self._database.begin() as connection:
                await refresh_and_check(connection, tenant_id, at)
            raise CreditExhausted(
                f"This call can cost up to {cost.normalize():f}, and the wallet has "
                f"{error.missing.normalize():f} less. Top it up, or lower max_tokens."
            ) from error
        return True

    async def settle(
        self,
        tenant_id: str,
        call_id: str,
        model: str,
        quantities: Mapping[str, Decimal],
        at: datetime,
        now: datetime,
        labels: Mapping[str, str] | None = None,
    ) -> None:
        """Pay for what a reserved call used; the call has ended at ``now``.

        ``at`` is when it was made, as in ``reserve``: the price of then applies.
        """
        cost = await self.cost(tenant_id, model, quantities, at, labels or {})
        async with self._database.begin() as connection:
            await holds.settle(connection, tenant_id, call_id, cost, now)

    async def release(self, tenant_id: str, call_id: str, now: datetime) -> None:
        """Release what was reserved for a call that costs nothing."""
        async with self._database.begin() as connection:
            await holds.release(connection, tenant_id, call_id, now)

    async def _costs_of(self, tenant_id: str, at: datetime) -> CallCosts | None:
        read = partial(self._read_costs, tenant_id, at)
        try:
            prices = await self._costs.get(tenant_id, read)
            if not prices.in_force(at):  # it was read for a call of another time
                self._costs.forget(tenant_id)
                prices = await self._costs.get(tenant_id, read)
        except NotFound:
            return None
        return prices.costs

    async def _read_costs(self, tenant_id: str, at: datetime) -> _CallPrices:
        async with self._database.begin() as connection:
            return await _costs_at(connection, tenant_id, at)


async def correct_call(
    connection: AsyncConnection,
    tenant_id: str,
    call_id: str,
    model: str,
    quantities: Mapping[str, Decimal],
    now: datetime,
    labels: Mapping[str, str],
) -> None:
    """Correct the cost of a call that was paid from the wallet; ``quantities`` are empty if void.

    Nothing happens for a call that reserved nothing.
    """
    reserved = await holds.find_hold(connection, tenant_id, call_id)
    if reserved is None:
        return
    costs = (await _costs_at(connection, tenant_id, reserved["made_at"])).costs
    if costs is not None:
        cost = costs.cost(model, quantities, reserved["made_at"], costs.labels_of(labels))
        await holds.correct(connection, tenant_id, call_id, cost, now)


async def _costs_at(connection: AsyncConnection, tenant_id: str, at: datetime) -> _CallPrices:
    """Return what calls cost on the plan in force at a moment. Raises ``NotFound`` without one."""
    tenant = await find_tenant(connection, tenant_id)
    then, plan = await plan_in_force(connection, tenant, at)
    # On trial nothing is asked for, so the wallet pays nothing either
    paid = plan.prepaid and then.state is not SubscriptionState.TRIAL
    costs = CallCosts(plan) if paid else None
    return _CallPrices(costs, then.start, then.state_until or then.end)


def paid_by_wallet(
    rated: RatedPeriod, prepaid: Collection[tuple[str, int]], used: Decimal
) -> Decimal:
    """Return how much of a period's lines the wallet paid when calls were made, in minor units.

    ``prepaid`` has the plan versions whose calls the wallet pays, ``used`` is what they took from
    it, unrounded. What it did not cover of their lines is rounded once and left to pay, so that a
    period that the wallet paid in full leaves nothing, whatever its lines round to. Lines of other
    plans are not touched.
    """
    with exact_arithmetic():
        lines = [
            line
            for line in rated.lines
            if (line.plan, line.plan_version) in prepaid and not line.trial
        ]
        asked = sum((line.amount for line in lines), round_to_minor_unit(ZERO, rated.currency))
        missing = max(sum((line.exact for line in lines), ZERO) - used, ZERO)
        return asked - min(round_to_minor_unit(missing, rated.currency), asked)
