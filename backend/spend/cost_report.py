"""Reads what usage cost over time: every bucket's cost, by whose usage it was."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncConnection

from backend.errors import InvalidInput
from backend.metering.counting.daily import day_of
from backend.metering.events import BUCKET
from backend.metering.queries.rated_usage import attributed_usage
from backend.metering.queries.usage import usage_version
from backend.metering.queries.widths import true_start
from backend.pricing.charges.windows import cut_at_windows
from backend.pricing.money import EXACT
from backend.spend.gathering import plain_period
from backend.spend.open_period import OpenPeriod
from backend.spend.usage_cost import Cost, UsedInBucket, UserOf, costs
from backend.subscriptions.periods import period_at
from backend_client.types.accounts import Tenant
from backend_client.types.cost import CostDimension, CostReport, CostRow
from backend_client.types.problems import FieldError
from backend_client.types.usage import Granularity

MOST_BUCKETS: Final = 200
"""A bill is worked out for each."""


@dataclass(frozen=True, slots=True)
class CostQuestion:
    """A query: ``start`` inclusive, ``end`` exclusive; an empty filter matches all."""

    start: datetime
    end: datetime
    granularity: Granularity = Granularity.DAY
    time_zone: str | None = None
    group_by: frozenset[CostDimension] = frozenset()
    applications: Collection[str] = ()
    keys: Collection[str] = ()
    models: Collection[str] = ()
    meters: Collection[str] = ()
    by_labels: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)

    def takes(self, user: UserOf) -> bool:
        """Tell whether the filters let somebody's usage through."""
        return self.labels.items() <= dict(user.labels).items() and all(
            not wanted or value in wanted
            for wanted, value in (
                (self.applications, user.application),
                (self.keys, user.key),
                (self.models, user.model),
                (self.meters, user.meter),
            )
        )


async def cost_report(
    connection: AsyncConnection, tenant: Tenant, question: CostQuestion
) -> CostReport:
    """Return what usage cost in each bucket, unrounded. Its labels have to be declared.

    Raises:
        InvalidInput: there would be more than ``MOST_BUCKETS``.
    """
    version, _ = await usage_version(connection, tenant.id)
    zone = question.time_zone or tenant.time_zone
    starts = _starts(question, zone)
    amounts: defaultdict[tuple[datetime, UserOf], Decimal] = defaultdict(Decimal)
    moment = question.start
    while moment < question.end:
        opened = await plain_period(connection, tenant, await period_at(connection, tenant, moment))
        buckets = await _used(connection, tenant.id, opened, question, starts)
        # Decimals of many bills: too long for the event loop
        for cost in await asyncio.to_thread(_all, opened, buckets, question):
            if question.takes(cost.user):
                group = cost.start, _group(cost.user, question)
                amounts[group] = EXACT.add(amounts[group], cost.amount)
        moment = opened.period.end
    return CostReport(
        start=question.start,
        end=question.end,
        granularity=question.granularity,
        time_zone=zone,
        currency=tenant.currency,
        rows=[
            CostRow(
                start=start,
                **{name.value: getattr(user, name.value) for name in question.group_by},
                labels={name: dict(user.labels).get(name) for name in question.by_labels},
                amount=amount,
            )
            for (start, user), amount in sorted(amounts.items())
        ],
        version=version,
    )


def _all(opened: OpenPeriod, buckets: Sequence[UsedInBucket], question: CostQuestion) -> list[Cost]:
    return list(costs(opened, buckets, {*question.by_labels, *question.labels}))


def _group(user: UserOf, question: CostQuestion) -> UserOf:
    named = {
        name.value: getattr(user, name.value) if name in question.group_by else ""
        for name in CostDimension
    }
    labels = tuple(each for each in user.labels if each[0] in question.by_labels)
    return UserOf(**named, labels=labels)


async def _used(
    connection: AsyncConnection,
    tenant_id: str,
    opened: OpenPeriod,
    question: CostQuestion,
    starts: Sequence[datetime],
) -> list[UsedInBucket]:
    """Return the usage of the period by bucket, after what came before the first."""
    begin, end = (
        max(question.start, opened.period.start),
        min(question.end, opened.period.end),
    )
    parts = list(_cut(starts, begin, end))
    if opened.period.start < begin:
        parts.insert(0, (None, opened.period.start, begin))
    places = [
        (place, number, cut_at_windows(stretch.plan, since, until))
        for place, (_, part_start, part_end) in enumerate(parts)
        for number, stretch in enumerate(opened.stretches)
        if (since := max(part_start, stretch.start)) < (until := min(part_end, stretch.end))
    ]
    labels = {
        name
        for stretch in opened.stretches
        if stretch.plan is not None
        for name in stretch.plan.priced_labels
    }.union(question.by_labels, question.labels)
    times = [times for *_, times in places]
    attributed = await attributed_usage(connection, tenant_id, times, labels)
    by_place = {
        (place, number): used for (place, number, _), used in zip(places, attributed, strict=True)
    }
    numbers = range(len(opened.stretches))
    return [
        UsedInBucket(start, [by_place.get((place, number), []) for number in numbers])
        for place, (start, *_) in enumerate(parts)
    ]


def _cut(
    starts: Sequence[datetime], begin: datetime, end: datetime
) -> Iterator[tuple[datetime | None, datetime, datetime]]:
    """Yield each bucket's start, and what of it is between two times."""
    for place, start in enumerate(starts):
        after = starts[place + 1] if place + 1 < len(starts) else end
        since, until = max(start, begin), min(after, end)
        if since < until:
            yield start, since, until


def _starts(question: CostQuestion, time_zone: str) -> list[datetime]:
    """Return where each bucket begins, the first perhaps before the question's start."""
    if question.granularity is Granularity.TOTAL:
        return [question.start]
    starts: list[datetime] = []
    moment = question.start
    while moment < question.end:
        start = _bucket(moment, question.granularity, time_zone)
        if not starts or start != starts[-1]:
            starts.append(start)
        if len(starts) > MOST_BUCKETS:
            raise InvalidInput(
                f"What usage cost can be asked for in at most {MOST_BUCKETS} parts of time: ask "
                "for less time, or a wider granularity.",
                errors=[FieldError(field="granularity", detail="is too narrow for this time")],
            )
        moment += BUCKET
    return starts


def _bucket(moment: datetime, granularity: Granularity, time_zone: str) -> datetime:
    local = moment.astimezone(ZoneInfo(time_zone))
    match granularity:
        case Granularity.QUARTER_HOUR:
            return moment
        case Granularity.HOUR:
            return true_start(moment - timedelta(minutes=local.minute), granularity, time_zone)
        case Granularity.MONTH:
            # At noon, which no zone skips
            moment = local.replace(day=1, hour=12)
    return day_of(moment, time_zone)
