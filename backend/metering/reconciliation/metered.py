"""Metered usage of all tenants but the samples, counted as a provider's export counts it.

It is the usage that the provider served, as far as the usage names its upstreams. A provider's
output tokens include the reasoning tokens, so the two meters are one here.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.types import Text

from backend.metering.reconciliation.matching.evidence import day_bounds
from backend.metering.reconciliation.upstreams import UNNAMED, billed_by, named_upstreams
from backend.pricing.money import exact_arithmetic
from backend.settings import Upstream
from backend_client.types.reconciliation import ReconciliationOptions

_LONGEST_SERIES_DAYS = 93
"""Quarter hours are compared over at most so many days; over more, only days are."""

_METER = "CASE meter WHEN 'reasoning_tokens' THEN 'output_tokens' ELSE meter END"
_WHERE = """
    FROM rollups JOIN tenants ON tenants.id = rollups.tenant_id AND NOT tenants.is_sample
    WHERE bucket >= :start AND bucket < :end
      AND (model = ANY(:models) OR upstream = ANY(:upstreams))
"""
_NAMES = [bindparam(name, type_=ARRAY(Text)) for name in ("models", "upstreams")]
_CALLS = "sum(event_count) FILTER (WHERE meter = 'requests')"
_DAYS = text(
    f"""
    SELECT (bucket AT TIME ZONE :zone)::date AS day, model, upstream, {_METER} AS meter,
           sum(quantity) AS quantity, {_CALLS} AS calls
    {_WHERE} GROUP BY 1, 2, 3, 4
    """
).bindparams(*_NAMES)
_QUARTERS = text(
    f"""
    SELECT bucket, model, upstream, {_METER} AS meter, sum(quantity) AS quantity, {_CALLS} AS calls
    {_WHERE} GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4
    """
).bindparams(*_NAMES)


@dataclass(slots=True)
class Metered:
    """Sums by day, model and meter; quarter hours by model and meter; failed calls by day.

    ``upstreams`` are those that the usage names.
    """

    days: dict[tuple[date, str, str], Decimal] = field(default_factory=dict)
    quarters: dict[tuple[str, str], list[tuple[datetime, Decimal]]] = field(default_factory=dict)
    failed: dict[tuple[date, str], Decimal] = field(default_factory=dict)
    upstreams: set[str] = field(default_factory=set)

    def add(
        self, day: date, model: str, meter: str, quantity: Decimal, calls: Decimal | None
    ) -> None:
        """Add to a day; ``calls`` counts the events of the meter ``requests``, failed ones too."""
        with exact_arithmetic():
            place = (day, model, meter)
            self.days[place] = self.days.get(place, Decimal(0)) + quantity
            if meter == "requests" and calls is not None:
                before = self.failed.get((day, model), Decimal(0))
                self.failed[day, model] = before + max(Decimal(0), calls - quantity)

    def add_quarter(self, bucket: datetime, model: str, meter: str, quantity: Decimal) -> None:
        """Add to a quarter hour; they come in the order of time."""
        quarters = self.quarters.setdefault((model, meter), [])
        if quarters and quarters[-1][0] == bucket:
            with exact_arithmetic():
                quarters[-1] = (bucket, quarters[-1][1] + quantity)
        else:
            quarters.append((bucket, quantity))


async def metered_usage(
    connection: AsyncConnection,
    zone: ZoneInfo,
    first_day: date,
    last_day: date,
    models: Collection[str],
    options: ReconciliationOptions,
    configured: Sequence[Upstream],
) -> Metered:
    """Return the usage that the options' provider bills from ``first_day`` to ``last_day``.

    It is that of ``models``, and of all models of the upstreams that the options name. Days are
    those of ``zone``; the quarter hours include a day more at both ends.
    """
    start, end = day_bounds(first_day, zone)[0], day_bounds(last_day, zone)[1]
    named = named_upstreams(options)
    asked = {"start": start, "end": end, "models": sorted(models), "upstreams": sorted(named)}
    in_days = (last_day - first_day).days >= _LONGEST_SERIES_DAYS
    if in_days:
        result = await connection.execute(_DAYS, {**asked, "zone": zone.key})
    else:
        # The days follow from the quarter hours, so the rollups are read once.
        margin = timedelta(days=1)
        asked |= {"start": start - margin, "end": end + margin}
        result = await connection.execute(_QUARTERS, asked)
    rows = result.all()
    is_billed = billed_by(
        options, {upstream.name for upstream in configured}, {row.upstream for row in rows}
    )
    metered = Metered()
    for moment, model, upstream, meter, quantity, calls in rows:
        if not is_billed(upstream):
            continue
        if in_days:
            metered.add(moment, model, meter, quantity, calls)
        else:
            metered.add_quarter(moment, model, meter, quantity)
            if not start <= moment < end:
                continue
            metered.add(moment.astimezone(zone).date(), model, meter, quantity, calls)
        metered.upstreams |= {upstream} - {UNNAMED}
    return metered
