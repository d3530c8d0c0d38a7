"""The stretches of a tenant's billing period, from the segments of its subscription."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.pricing.periods import INSTANT, BillingPeriod
from backend.pricing.rating.stretches import Had, Stretch, fees_since_taken_up, term_fees
from backend.storage.tables import subscriptions
from backend.subscriptions.segments import Segment, read_segments, segment_from
from backend_client.types.subscriptions import SubscriptionState


@dataclass(frozen=True, slots=True)
class TakenUp:
    """When the plan of a segment was taken up, and what was had of it before that segment."""

    since: datetime
    had: Had | None = None

    def added_to(self, stretch: Stretch, segment_start: datetime) -> Stretch:
        """Return a stretch of the segment that began then, with when the plan was taken up.

        One that continues a segment of an earlier period had what applies in it before, too.
        """
        had = self.had
        if segment_start < stretch.start:
            had = _most(had, stretch.seats, stretch.add_ons)
        return replace(stretch, years_since=self.since, had=had)


async def plan_stretches(
    connection: AsyncConnection, tenant_id: str, period: BillingPeriod
) -> list[Stretch]:
    """Divide a period into stretches of one plan version each, without their usage.

    They cover the period without a gap; where there was no subscription, or a paused one, the plan
    is None. The present subscription counts until the period's end. Plans have their prices in the
    tenant's currency. Stretches of a plan with fees that go by when it was taken up say when that
    was, and the first one what applied just before the period.
    """
    # Includes the segment that ended when the period began: the rest of its year matters
    since = period.start - INSTANT
    rows = await read_segments(connection, tenant_id, since=since, until=period.end)
    currency = rows[0]["currency"] if rows else None
    segments = [segment_from(row) for row in rows]
    taken_up: dict[datetime, TakenUp] = {}
    if any(fees_since_taken_up(segment.terms.plan.definition) for segment in segments):
        taken_up = await plans_taken_up(connection, tenant_id, period.end)
    stretches: list[Stretch] = []
    reached = period.start
    for segment in segments:
        if segment.end is not None and segment.end <= period.start:
            continue
        start = max(segment.start, period.start)
        if start > reached:
            stretches.append(Stretch(None, 0, reached, start))
        reached = min(segment.end or period.end, period.end)
        stretches.append(_stretch(segment, start, reached, currency, taken_up))
    if reached < period.end:
        stretches.append(Stretch(None, 0, reached, period.end))
    stretches[0] = replace(stretches[0], before=_before(segments, period, currency, taken_up))
    return stretches


async def plans_taken_up(
    connection: AsyncConnection, tenant_id: str, until: datetime | None = None
) -> dict[datetime, TakenUp]:
    """Return when plans were taken up, by the start of each segment of a subscription.

    A segment that follows another of the plan without a gap continues it, whatever the version, the
    seats and the add-ons, and so does a pause. A trial comes before. Segments from ``until`` on are
    left out.
    """
    query = (
        select(
            subscriptions.c.plan_id,
            subscriptions.c.state,
            subscriptions.c.start_at,
            subscriptions.c.end_at,
            subscriptions.c.seats,
            subscriptions.c.add_ons,
        )
        .where(subscriptions.c.tenant_id == tenant_id)
        .order_by(subscriptions.c.start_at)
    )
    if until is not None:
        query = query.where(subscriptions.c.start_at < until)
    by_start: dict[datetime, TakenUp] = {}
    before: tuple[str, datetime | None] | None = None
    taken_up: TakenUp | None = None
    for plan_id, state, start, end, seats, add_ons in await connection.execute(query):
        if (plan_id, start) != before:
            taken_up = None
        if taken_up is None and state == SubscriptionState.ACTIVE:
            taken_up = TakenUp(start)
        if taken_up is not None:
            by_start[start] = taken_up
            if state == SubscriptionState.ACTIVE:
                taken_up = replace(taken_up, had=_most(taken_up.had, seats, add_ons))
        before = plan_id, end
    return by_start


def _most(had: Had | None, seats: int, add_ons: Mapping[str, int]) -> Had:
    if had is None:
        return Had(seats, add_ons)
    names = had.add_ons.keys() | add_ons.keys()
    most = {name: max(had.add_ons.get(name, 0), add_ons.get(name, 0)) for name in names}
    return Had(max(had.seats, seats), most)


def _stretch(
    segment: Segment,
    start: datetime,
    end: datetime,
    currency: str | None,
    taken_up: Mapping[datetime, TakenUp],
) -> Stretch:
    terms = segment.terms
    of_plan = taken_up.get(segment.start)
    if terms.state is SubscriptionState.PAUSED:
        return Stretch(None, 0, start, end)
    stretch = Stretch(
        terms.plan_priced_in(currency or terms.plan.definition.currency),
        terms.plan.version,
        start,
        end,
        seats=terms.seats,
        add_ons=terms.add_ons,
        trial=terms.state is SubscriptionState.TRIAL,
    )
    return stretch if of_plan is None else of_plan.added_to(stretch, segment.start)


def _before(
    segments: Sequence[Segment],
    period: BillingPeriod,
    currency: str | None,
    taken_up: Mapping[datetime, TakenUp],
) -> Stretch | None:
    """Return what applied just before the period, if it has fees by the quarter or the year."""
    for segment in segments:
        if segment.start >= period.start:
            break
        held = _stretch(segment, period.start, period.start, currency, taken_up)
        if held.plan is not None and held.years_since is not None and term_fees(held.plan):
            return held
        return None
    return None
