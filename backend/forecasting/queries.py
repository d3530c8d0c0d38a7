"""A tenant's usage by its own days, read from rollups."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.forecasting.history import RECENT_DAYS, History, Mix, Series, kinds_of, period_days
from backend.metering.queries.rated_usage import period_usage
from backend.pricing.charges.rate_card import MeteredQuantity
from backend.pricing.charges.windows import cut_at_windows
from backend.pricing.periods import BillingPeriod, day_start, quarter_hour_of
from backend.pricing.rating.rated_period import Stretch
from backend_client.types.accounts import Tenant

LONGEST_DAYS = 365

# "Later" is the usage after this time of the day: its share predicts the rest of today.
_QUERY = text(
    """
    SELECT model, meter, (bucket AT TIME ZONE :zone)::date AS day, sum(quantity) AS quantity,
           sum(quantity) FILTER (WHERE (bucket AT TIME ZONE :zone)::time >= :clock) AS later
    FROM rollups
    WHERE tenant_id = :tenant_id AND bucket >= :since
    GROUP BY 1, 2, 3
    ORDER BY 1, 2, 3
    """
)


async def usage_history(connection: AsyncConnection, tenant: Tenant, now: datetime) -> History:
    """Return the tenant's daily usage, of at most the last 365 days."""
    zone = ZoneInfo(tenant.time_zone)
    today = now.astimezone(zone).date()
    midnight = day_start(today, zone)
    elapsed = (now - midnight) / (day_start(today + timedelta(days=1), zone) - midnight)
    rows = await connection.execute(
        _QUERY,
        {
            "tenant_id": tenant.id,
            "zone": tenant.time_zone,
            "clock": quarter_hour_of(now).astimezone(zone).time(),
            "since": day_start(today - timedelta(days=LONGEST_DAYS), zone),
        },
    )
    sums: defaultdict[tuple[str, str], dict[date, tuple[Decimal, Decimal]]] = defaultdict(dict)
    for model, meter, day, quantity, later in rows:
        sums[model, meter][min(day, today)] = (quantity, later or Decimal(0))
    first = min((day for by_day in sums.values() for day in by_day), default=today)
    series = tuple(
        _series(model, meter, by_day, first, today, elapsed)
        for (model, meter), by_day in sums.items()
    )
    return History(today, elapsed, (today - first).days, series)


async def spent_days(
    connection: AsyncConnection,
    tenant_id: str,
    period: BillingPeriod,
    stretches: Sequence[Stretch],
    today: date,
) -> list[tuple[datetime, list[list[MeteredQuantity]]]]:
    """Return, for each of the period's days before ``today``, the period's usage up to its end.

    Each is the day's start with the period's usage so far, a list for each stretch.
    """
    zone = ZoneInfo(period.time_zone)
    starts = [start for start in period_days(period) if start.astimezone(zone).date() < today]
    ends = [day_start(start.astimezone(zone).date() + timedelta(days=1), zone) for start in starts]
    parts = [
        (place, number, max(start, stretch.start), min(end, stretch.end))
        for place, (start, end) in enumerate(zip(starts, ends, strict=True))
        for number, stretch in enumerate(stretches)
        if start < stretch.end and stretch.start < end
    ]
    times = [cut_at_windows(stretches[number].plan, start, end) for _, number, start, end in parts]
    used = await period_usage(connection, tenant_id, times)
    so_far: list[list[MeteredQuantity]] = [[] for _ in stretches]
    by_day: dict[int, list[list[MeteredQuantity]]] = {}
    for (place, number, *_), quantities in zip(parts, used, strict=True):
        so_far = [*so_far[:number], _sum(so_far[number], quantities), *so_far[number + 1 :]]
        by_day[place] = so_far
    return [(start, by_day[place]) for place, start in enumerate(starts)]


async def recent_mixes(
    connection: AsyncConnection, tenant_id: str, stretches: Sequence[Stretch], now: datetime
) -> list[Mix]:
    """Return, for each stretch's plan, how each model's meter divides by its windows and labels.

    It is taken from the last 28 days; an ended stretch has none.
    """
    until = quarter_hour_of(now)
    since = until - timedelta(days=RECENT_DAYS)
    times = [
        cut_at_windows(stretch.plan, since, until) if stretch.end > now else []
        for stretch in stretches
    ]
    used = await period_usage(connection, tenant_id, times)
    return [kinds_of(quantities) for quantities in used]


def _series(
    model: str,
    meter: str,
    by_day: dict[date, tuple[Decimal, Decimal]],
    first: date,
    today: date,
    elapsed: float,
) -> Series:
    nothing = (Decimal(0), Decimal(0))
    complete = [by_day.get(first + timedelta(days=n), nothing) for n in range((today - first).days)]
    recent = complete[-RECENT_DAYS:]
    used = sum(quantity for quantity, _ in recent)
    later = sum(after for _, after in recent)
    return Series(
        model,
        meter,
        tuple(float(quantity) for quantity, _ in complete),
        float(by_day.get(today, nothing)[0]),
        float(later / used) if used else 1.0 - elapsed,
        all(quantity == quantity.to_integral_value() for quantity, _ in by_day.values()),
    )


def _sum(usage: list[MeteredQuantity], other: list[MeteredQuantity]) -> list[MeteredQuantity]:
    totals: defaultdict[MeteredQuantity, Decimal] = defaultdict(Decimal)
    for used in (*usage, *other):
        totals[replace(used, quantity=Decimal(0))] += used.quantity
    return [replace(kind, quantity=quantity) for kind, quantity in totals.items()]
