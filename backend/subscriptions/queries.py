"""Reads which plan version a tenant is on, and what follows it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from math import floor
from typing import NamedTuple

from sqlalchemy.ext.asyncio import AsyncConnection

from backend.accounts.tenants import find_tenant
from backend.pricing.charges.price_lists import in_currency
from backend.pricing.rating.stretches import yearly_charges
from backend.pricing.rating.years import PlanYears
from backend.subscriptions.errors import SubscriptionNotFound
from backend.subscriptions.segments import Segment, read_segments, segment_from
from backend.subscriptions.stretches import years_since
from backend_client.types.accounts import Tenant
from backend_client.types.plans import PlanDefinition
from backend_client.types.subscriptions import Subscription, SubscriptionState


class PlanInForce(NamedTuple):
    """A subscription, and its plan with prices in the tenant's currency."""

    subscription: Subscription
    plan: PlanDefinition


async def current_subscription(
    connection: AsyncConnection, tenant_id: str, now: datetime
) -> Subscription:
    """Return the subscription in force, and the plan that follows it if a change is scheduled.

    Raises ``NotFound`` if the tenant has none now.
    """
    segments = [segment_from(row) for row in await read_segments(connection, tenant_id, since=now)]
    if not segments or segments[0].start > now:
        raise SubscriptionNotFound()
    return await described(connection, tenant_id, segments, now)


async def plan_in_force(connection: AsyncConnection, tenant: Tenant, at: datetime) -> PlanInForce:
    """Return the subscription in force, and its plan as the tenant pays for it.

    Raises ``NotFound`` if the tenant has none at that moment.
    """
    subscription = await current_subscription(connection, tenant.id, at)
    return PlanInForce(subscription, in_currency(subscription.plan.definition, tenant.currency))


async def described(
    connection: AsyncConnection, tenant_id: str, segments: Sequence[Segment], now: datetime
) -> Subscription:
    """Return the first segment as the API's type, with what follows it without a gap."""
    described = _subscription(segments)
    if not yearly_charges(described.plan.definition):
        return described
    tenant = await find_tenant(connection, tenant_id)
    years = await years_since(connection, tenant_id)
    for segment in segments:
        since = years.get(segment.start)
        if since is None or segment.terms.state is not SubscriptionState.ACTIVE:
            continue
        counted, reached = PlanYears(since, tenant.time_zone), max(segment.start, now)
        renews = since if since > now else counted.start(floor(counted.passed(reached)) + 1)
        if all(end is None or renews < end for end in (segment.end, described.end)):
            return described.model_copy(update={"renews_at": renews})
    return described


def _subscription(segments: Sequence[Segment]) -> Subscription:
    first, end, after = segments[0], segments[0].end, None
    for follows in segments[1:]:
        if follows.start != end:
            break
        if not follows.terms.same_plan(first.terms):
            after = follows.terms.plan
            break
        end = follows.end
    return Subscription(
        id=first.id,
        plan=first.terms.plan,
        start=first.start,
        end=end,
        next_plan=after,
        state=first.terms.state,
        state_until=None if first.end == end else first.end,
        seats=first.terms.seats,
        add_ons=dict(first.terms.add_ons),
    )
