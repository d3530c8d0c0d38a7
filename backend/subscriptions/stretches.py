"""The stretches of a tenant's billing period, from the segments of its subscription."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.pricing.periods import INSTANT, BillingPeriod
from backend.pricing.rating.stretches import Stretch, yearly_charges
from backend.storage.tables import subscriptions, tenants
from backend.subscriptions.segments import Segment, read_segments, segment_from
from backend_client.types.subscriptions import SubscriptionState


async def plan_stretches(
    connection: AsyncConnection, tenant_id: str, period: BillingPeriod
) -> list[Stretch]:
    """Divide a period into stretches of one plan version each, without their usage.

    They cover the period without a gap; where there was no subscription, or a paused one, the plan
    is None. The present subscription counts until the period's end. Plans have their prices in the
    tenant's currency. Stretches of a plan with yearly fees say since when the years count, and the
    first one what applied just before the period.
    """
    query = select(tenants.c.currency).where(tenants.c.id == tenant_id)
    currency = await connection.scalar(query)
    # Includes the segment that ended when the period began: the rest of its year matters
    since = period.start - INSTANT
    rows = await read_segments(connection, tenant_id, since=since, until=period.end)
    segments = [segment_from(row) for row in rows]
    years: dict[datetime, datetime] = {}
    if any(yearly_charges(segment.terms.plan.definition) for segment in segments):
        years = await years_since(connection, tenant_id, period.end)
    stretches: list[Stretch] = []
    reached = period.start
    for segment in segments:
        if segment.end is not None and segment.end <= period.start:
            continue
        start = max(segment.start, period.start)
        if start > reached:
            stretches.append(Stretch(None, 0, reached, start))
        reached = min(segment.end or period.end, period.end)
        stretches.append(_stretch(segment, start, reached, currency, years))
    if reached < period.end:
        stretches.append(Stretch(None, 0, reached, period.end))
    stretches[0] = replace(stretches[0], before=_before(segments, period, currency, years))
    return stretches


async def years_since(
    connection: AsyncConnection, tenant_id: str, until: datetime | None = None
) -> dict[datetime, datetime]:
    """Return where the years of yearly fees are counted from, by the start of each segment.

    That is the start of the plan: a segment of it that follows another without a gap continues its
    years, whatever the version, the seats and the add-ons, and so does a pause. A trial comes
    before them. Segments from ``until`` on are left out.
    """
    query = (
        select(
            subscriptions.c.plan_id,
            subscriptions.c.state,
            subscriptions.c.start_at,
            subscriptions.c.end_at,
        )
        .where(subscriptions.c.tenant_id == tenant_id)
        .order_by(subscriptions.c.start_at)
    )
    if until is not None:
        query = query.where(subscriptions.c.start_at < until)
    since_by_start: dict[datetime, datetime] = {}
    before: tuple[str, datetime | None] | None = None
    since: datetime | None = None
    for plan_id, state, start, end in await connection.execute(query):
        if (plan_id, start) != before:
            since = None
        if since is None and state == SubscriptionState.ACTIVE:
            since = start
        if since is not None:
            since_by_start[start] = since
        before = plan_id, end
    return since_by_start


def _stretch(
    segment: Segment,
    start: datetime,
    end: datetime,
    currency: str | None,
    years: dict[datetime, datetime],
) -> Stretch:
    terms = segment.terms
    if terms.state is SubscriptionState.PAUSED:
        return Stretch(None, 0, start, end)
    return Stretch(
        terms.plan_priced_in(currency or terms.plan.definition.currency),
        terms.plan.version,
        start,
        end,
        seats=terms.seats,
        add_ons=terms.add_ons,
        trial=terms.state is SubscriptionState.TRIAL,
        years_since=years.get(segment.start),
    )


def _before(
    segments: Sequence[Segment],
    period: BillingPeriod,
    currency: str | None,
    years: dict[datetime, datetime],
) -> Stretch | None:
    """Return what applied just before the period, if it has fees by the year."""
    for segment in segments:
        if segment.start >= period.start:
            break
        held = _stretch(segment, period.start, period.start, currency, years)
        if held.plan is not None and held.years_since is not None and yearly_charges(held.plan):
            return held
        return None
    return None
