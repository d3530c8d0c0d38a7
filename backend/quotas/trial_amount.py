"""What a trial may be used for in money: calls are refused once usage on trial is worth it.

Usage is valued as a key's budget values it: each unit by the plan's prices, tiers by the dearest,
and units that the plan includes as if they were paid. A call that began before is answered.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.metering.queries.rated_usage import period_usage
from backend.pricing.charges.price_lists import in_currency
from backend.pricing.charges.windows import cut_at_windows
from backend.pricing.credit.call_cost import CallValues
from backend.pricing.money import ZERO
from backend.pricing.periods import next_quarter_hour, quarter_hour_of
from backend.quotas.errors import QuotaExhausted
from backend.storage.tables import subscriptions
from backend_client.types.accounts import Tenant
from backend_client.types.subscriptions import Subscription, SubscriptionState


@dataclass(frozen=True, slots=True)
class TrialUse:
    """The ``amount`` that a trial may be used for, and what was ``used`` of it by now, exact."""

    amount: Decimal
    currency: str
    used: Decimal
    ends_at: datetime

    @property
    def remaining(self) -> Decimal:
        """What is left; 0 if it is used up or exceeded."""
        return max(self.amount - self.used, ZERO)

    def refusal(self) -> QuotaExhausted | None:
        """Return the error for calls; None while something is left."""
        if self.remaining:
            return None
        return QuotaExhausted(
            f"The trial's usage of {self.amount:,f} {self.currency} is used up. The trial ends at "
            f"{self.ends_at:%Y-%m-%d %H:%M} UTC; a plan that is paid helps at once."
        )


async def trial_use(
    connection: AsyncConnection, tenant: Tenant, subscription: Subscription, now: datetime
) -> TrialUse | None:
    """Return what is used of a trial's amount; None on no trial, or on one without an amount."""
    if subscription.state is not SubscriptionState.TRIAL:
        return None
    plan = in_currency(subscription.plan.definition, tenant.currency)
    if plan.trial_amount is None:
        return None
    begun = await trial_start(connection, tenant)
    times = cut_at_windows(plan, quarter_hour_of(begun), next_quarter_hour(now))
    (used,) = await period_usage(connection, tenant.id, [times], plan.priced_labels)
    ends = subscription.state_until or subscription.end or now
    return TrialUse(plan.trial_amount, tenant.currency, CallValues(plan).value(used), ends)


async def trial_start(connection: AsyncConnection, tenant: Tenant) -> datetime:
    """Return when the tenant's trial began; it has one, which a change of seats divides."""
    query = select(func.min(subscriptions.c.start_at)).where(
        subscriptions.c.tenant_id == tenant.id,
        subscriptions.c.state == SubscriptionState.TRIAL.value,
    )
    begun: datetime = (await connection.execute(query)).scalar_one()
    return begun
