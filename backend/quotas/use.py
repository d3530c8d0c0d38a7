"""How much of a plan's quotas is used in the current billing period. Read by the gateway."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.quotas.errors import QuotaExhausted
from backend.quotas.trial_amount import trial_start
from backend.storage.tables import rollups
from backend.subscriptions.errors import SubscriptionPaused
from backend.subscriptions.periods import period_at
from backend.subscriptions.queries import current_subscription
from backend_client.types.accounts import Tenant
from backend_client.types.plan_terms import Quota, QuotaLimit
from backend_client.types.subscriptions import Subscription, SubscriptionState


@dataclass(frozen=True, slots=True)
class QuotaUse:
    """A quota, and the units ``used`` of it. It is renewed at ``resets_at``.

    One ``of_trial`` is of the whole trial, which ends then.
    """

    quota: Quota
    used: Decimal
    resets_at: datetime
    of_trial: bool = False

    @property
    def remaining(self) -> Decimal:
        """Units that are left; 0 if it is used up or exceeded."""
        return max(self.quota.quantity - self.used, Decimal(0))


async def usable_subscription(
    connection: AsyncConnection, tenant: Tenant, now: datetime
) -> Subscription:
    """Return what is in force; raise ``NotFound`` if the tenant has no plan, or it is paused."""
    subscription = await current_subscription(connection, tenant.id, now)
    if subscription.state is SubscriptionState.PAUSED:
        raise SubscriptionPaused()
    return subscription


async def current_quotas(
    connection: AsyncConnection, tenant: Tenant, now: datetime
) -> list[QuotaUse]:
    """Return the quotas of the plan in force, as ``quotas_of`` does.

    Raises ``NotFound`` if the tenant has no plan, or it is paused.
    """
    subscription = await usable_subscription(connection, tenant, now)
    return await quotas_of(connection, tenant, subscription, now)


async def quotas_of(
    connection: AsyncConnection, tenant: Tenant, subscription: Subscription, now: datetime
) -> list[QuotaUse]:
    """Return a plan's quotas, with what was used of each in the billing period.

    Usage on other plans earlier in the period counts too: moving to another plan and back renews no
    quota. On trial those of the trial are there as well, with what was used since it began.
    """
    plan = subscription.plan.definition
    uses: list[QuotaUse] = []
    if plan.quotas:
        period = await period_at(connection, tenant, now)
        uses += await _used(connection, tenant, plan.quotas, period.start, period.end)
    if plan.trial_quotas and subscription.state is SubscriptionState.TRIAL:
        begun = await trial_start(connection, tenant)
        ends = subscription.state_until or subscription.end or now
        quotas = [
            Quota(meters=quota.meters, quantity=quota.quantity, limit=QuotaLimit.HARD)
            for quota in plan.trial_quotas
        ]
        uses += [
            replace(use, of_trial=True)
            for use in await _used(connection, tenant, quotas, begun, ends)
        ]
    return uses


async def _used(
    connection: AsyncConnection,
    tenant: Tenant,
    quotas: Sequence[Quota],
    start: datetime,
    end: datetime,
) -> list[QuotaUse]:
    query = (
        select(rollups.c.meter, func.sum(rollups.c.quantity))
        .where(
            rollups.c.tenant_id == tenant.id,
            rollups.c.bucket >= start,
            rollups.c.bucket < end,
            rollups.c.meter.in_({meter for quota in quotas for meter in quota.meters}),
        )
        .group_by(rollups.c.meter)
    )
    used: dict[str, Decimal] = dict((await connection.execute(query)).all())
    return [
        QuotaUse(
            quota,
            sum((used.get(meter, Decimal(0)) for meter in set(quota.meters)), Decimal(0)),
            end,
        )
        for quota in quotas
    ]


def exhausted(use: QuotaUse) -> QuotaExhausted:
    """Return the error for calls that a used-up quota does not allow."""
    return QuotaExhausted(f"{named(use)} is used up. {renewed(use)}; a larger plan helps at once.")


def named(use: QuotaUse) -> str:
    """Say which quota it is."""
    whose = "The trial's" if use.of_trial else "The plan's"
    return f"{whose} quota of {use.quota.quantity:,.0f} {' and '.join(use.quota.meters)}"


def renewed(use: QuotaUse) -> str:
    """Say when there is more of it."""
    what = "The trial ends" if use.of_trial else "It is renewed"
    return f"{what} at {use.resets_at:%Y-%m-%d %H:%M} UTC"
