"""Reads which plan version a tenant is on, and what follows it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from math import floor
from typing import NamedTuple

from sqlalchemy.ext.asyncio import AsyncConnection

from backend.accounts.tenants import find_tenant
from backend.catalog.published import list_plans
from backend.errors import NotFound
from backend.pricing.charges.price_lists import in_currency
from backend.pricing.rating.stretches import term_fees
from backend.pricing.rating.years import PlanYears
from backend.subscriptions.errors import SubscriptionNotFound
from backend.subscriptions.segments import Segment, read_segments, segment_from
from backend.subscriptions.stretches import plans_taken_up
from backend_client.types.accounts import Tenant
from backend_client.types.plans import Plan, PlanDefinition
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


async def plans_offered(connection: AsyncConnection, tenant_id: str, now: datetime) -> list[Plan]:
    """Return the plans on sale, the tenant's own with the prices that were agreed with it."""
    plans = await list_plans(connection)
    try:
        present = (await current_subscription(connection, tenant_id, now)).plan
    except NotFound:
        return plans
    if not present.own_prices:
        return plans
    own = present.definition.id
    return [present if plan.definition.id == own else plan for plan in plans]


async def described(
    connection: AsyncConnection, tenant_id: str, segments: Sequence[Segment], now: datetime
) -> Subscription:
    """Return the first segment as the API's type, with what follows it without a gap."""
    described = _subscription(segments)
    fees = term_fees(described.plan.definition)
    if not fees:
        return described
    tenant = await find_tenant(connection, tenant_id)
    taken_up = await plans_taken_up(connection, tenant_id)
    for segment in segments:
        of_plan = taken_up.get(segment.start)
        if of_plan is None or segment.terms.state is not SubscriptionState.ACTIVE:
            continue
        since, reached = of_plan.since, max(segment.start, now)
        months = min(fee.cadence.months for fee in fees)
        counted = PlanYears(since, tenant.time_zone, months)
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
