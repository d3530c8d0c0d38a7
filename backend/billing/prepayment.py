"""Calls on prepaid plans: paid from the wallet as they are made. The gateway asks.

A call is reserved at the greatest cost that it can come to, and settled at what it came to. What
was settled is what the period's lines add up to, to the last digit; see ``paid_by_wallet``.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from backend.accounts.tenants import find_tenant
from backend.billing.subscriptions import current_subscription
from backend.billing.wallets import reservations
from backend.errors import FareboxError, NotFound
from backend.pricing.call_cost import CallCosts
from backend.pricing.credits import InsufficientCredit
from backend.pricing.money import exact_arithmetic, round_to_minor_unit
from backend.pricing.price_lists import in_currency
from backend.pricing.rate_card import Labels
from backend.pricing.rating import RatedPeriod
from backend.storage.database import Database

_FRESH_SECONDS = 1.0
_KEPT = 10_000


class CreditExhausted(FareboxError):
    """The wallet holds less than the call can come to; more credit helps."""

    status, code, title = 402, "insufficient_credit", "Not enough credit"


@dataclass(frozen=True, slots=True)
class _Known:
    """What calls cost from ``start`` until ``end`` (None: open), or that they are not prepaid."""

    costs: CallCosts | None
    start: datetime
    end: datetime | None
    fresh_until: float

    def holds(self, at: datetime) -> bool:
        """Tell whether it is fresh and says what a call at that moment costs."""
        in_force = self.start <= at and (self.end is None or at < self.end)
        return in_force and time.monotonic() < self.fresh_until


class Prepayment:
    """Reserves and settles calls; for tenants on other plans it does nothing.

    ``reserve`` and then ``settle`` or ``release`` under the same ``call_id``, each as often as
    wanted: what comes again does nothing again.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._costs: dict[str, _Known] = {}

    async def reserve(
        self,
        tenant_id: str,
        call_id: str,
        model: str,
        most: Mapping[str, Decimal],
        at: datetime,
        labels: Labels = (),
    ) -> bool:
        """Set aside what a call of ``most`` units can cost; tell whether the plan is prepaid.

        Raises ``CreditExhausted`` if there is less, with nothing set aside.
        """
        costs = await self._costs_of(tenant_id, at)
        if costs is None:
            return False
        cost = costs.cost(model, most, at, labels)
        try:
            async with self._database.begin() as connection:
                await reservations.reserve(connection, tenant_id, call_id, model, cost, at)
        except InsufficientCredit as error:
            raise CreditExhausted(
                f"This call can cost up to {cost.normalize():f}, and the wallet holds "
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
        labels: Labels = (),
    ) -> None:
        """Pay for what a reserved call used. ``at`` is when it was made, as when reserved."""
        costs = await self._costs_of(tenant_id, at)
        cost = Decimal(0) if costs is None else costs.cost(model, quantities, at, labels)
        async with self._database.begin() as connection:
            await reservations.settle(connection, tenant_id, call_id, cost, at)

    async def release(self, tenant_id: str, call_id: str, at: datetime) -> None:
        """Give back what was set aside for a call that costs nothing."""
        async with self._database.begin() as connection:
            await reservations.release(connection, tenant_id, call_id, at)

    async def _costs_of(self, tenant_id: str, at: datetime) -> CallCosts | None:
        found = self._costs.get(tenant_id)
        if found is not None and found.holds(at):
            return found.costs
        async with self._database.begin() as connection:
            try:
                now = await current_subscription(connection, tenant_id, at)
            except NotFound:
                return None
            tenant = await find_tenant(connection, tenant_id)
        plan = in_currency(now.plan.definition, tenant.currency)
        costs = CallCosts(plan) if plan.prepaid else None
        if len(self._costs) >= _KEPT:
            self._costs.clear()
        until = time.monotonic() + _FRESH_SECONDS
        self._costs[tenant_id] = _Known(costs, now.start, now.state_until or now.end, until)
        return costs


def paid_by_wallet(rated: RatedPeriod, used: Decimal) -> Decimal:
    """Return how much of a period's rounded total the wallet paid, in minor units.

    ``used`` is what calls took from it, unrounded. What it did not cover is rounded once and left
    to pay, so that a period that the wallet paid whole leaves nothing, whatever its lines round to.
    What is given back of a yearly fee is not the wallet's.
    """
    with exact_arithmetic():
        given_back = min(rated.total - rated.accrued, Decimal(0))
        left = max(rated.exact_total - used, given_back)
        uncovered = round_to_minor_unit(left, rated.currency)
        return rated.total - min(uncovered, rated.total)
