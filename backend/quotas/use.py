"""How much of a plan's quotas is used in the current billing period. Read by the gateway."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.quotas.errors import QuotaExhausted
from backend.storage.tables import rollups
from backend.subscriptions.errors import SubscriptionPaused
from backend.subscriptions.periods import period_at
from backend.subscriptions.queries import current_subscription
from backend_client.types.accounts import Tenant
from backend_client.types.plan_terms import Quota
from backend_client.types.plans import PlanDefinition
from backend_client.types.subscriptions import SubscriptionState


@dataclass(frozen=True, slots=True)
class QuotaUse:
    """A quota, and the units ``used`` of it. It is renewed at ``resets_at``."""

    quota: Quota
    used: Decimal
    resets_at: datetime

    @property
    def remaining(self) -> Decimal:
        """Units that are left; 0 if it is used up or exceeded."""
        return max(self.quota.quantity - self.used, Decimal(0))


async def usable_plan(connection: AsyncConnection, tenant: Tenant, now: datetime) -> PlanDefinition:
    """Return the plan in force; raise ``NotFound`` if the tenant has none, or it is paused."""
    subscription = await current_subscription(connection, tenant.id, now)
    if subscription.state is SubscriptionState.PAUSED:
        raise SubscriptionPaused()
    return subscription.plan.definition


async def current_quotas(
    connection: AsyncConnection, tenant: Tenant, now: datetime
) -> list[QuotaUse]:
    """Return the quotas of the plan in force, as ``quotas_of`` does.

    Raises ``NotFound`` if the tenant has no plan, or it is paused.
    """
    plan = await usable_plan(connection, tenant, now)
    return await quotas_of(connection, tenant, plan, now)


async def quotas_of(
    connection: AsyncConnection, tenant: Tenant, plan: PlanDefinition, now: datetime
) -> list[QuotaUse]:
    """Return a plan's quotas, with what was used of each in the billing period.

    Usage on other plans earlier in the period counts too: moving to another plan and back renews no
    quota.
    """
    quotas = plan.quotas
    if not quotas:
        return []
    period = await period_at(connection, tenant, now)
    query = (
        select(rollups.c.meter, func.sum(rollups.c.quantity))
        .where(
            rollups.c.tenant_id == tenant.id,
            rollups.c.bucket >= period.start,
            rollups.c.bucket < period.end,
            rollups.c.meter.in_({meter for quota in quotas for meter in quota.meters}),
        )
        .group_by(rollups.c.meter)
    )
    used: dict[str, Decimal] = dict((await connection.execute(query)).all())
    return [
        QuotaUse(
            quota,
            sum((used.get(meter, Decimal(0)) for meter in set(quota.meters)), Decimal(0)),
            period.end,
        )
        for quota in quotas
    ]


def exhausted(use: QuotaUse) -> QuotaExhausted:
    """Return the error for calls that a used-up quota does not allow."""
    return QuotaExhausted(
        f"The plan's quota of {use.quota.quantity:,.0f} {' and '.join(use.quota.meters)} is used "
        f"up. It is renewed at {use.resets_at:%Y-%m-%d %H:%M} UTC; a larger plan helps at once."
    )
