"""Metered usage of all tenants but the samples, counted as a provider's export counts it.

A provider's output tokens include the reasoning tokens, so the two meters are one here.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.types import Text

from backend.metering.reconciliation.evidence import day_bounds
from backend.pricing.money import exact_arithmetic

_LONGEST_SERIES_DAYS = 93
"""Quarter hours are compared over at most so many days; over more, only days are."""

_METER = "CASE meter WHEN 'reasoning_tokens' THEN 'output_tokens' ELSE meter END"
_WHERE = """
    FROM rollups JOIN tenants ON tenants.id = rollups.tenant_id AND NOT tenants.is_sample
    WHERE bucket >= :start AND bucket < :end AND model = ANY(:models)
"""
_MODELS = bindparam("models", type_=ARRAY(Text))
_CALLS = "sum(event_count) FILTER (WHERE meter = 'requests')"
_DAYS = text(
    f"""
    SELECT (bucket AT TIME ZONE :zone)::date AS day, model, {_METER} AS meter,
           sum(quantity) AS quantity, {_CALLS} AS calls
    {_WHERE} GROUP BY 1, 2, 3
    """
).bindparams(_MODELS)
_QUARTERS = text(
    f"""
    SELECT bucket, model, {_METER} AS meter, sum(quantity) AS quantity, {_CALLS} AS calls
    {_WHERE} GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
    """
).bindparams(_MODELS)


@dataclass(slots=True)
class Metered:
    """Sums by day, model and meter; quarter hours by model and meter; failed calls by day."""

    days: dict[tuple[date, str, str], Decimal] = field(default_factory=dict)
    quarters: dict[tuple[str, str], list[tuple[datetime, Decimal]]] = field(default_factory=dict)
    failed: dict[tuple[date, str], Decimal] = field(default_factory=dict)

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


async def metered_usage(
    connection: AsyncConnection,
    zone: ZoneInfo,
    first_day: date,
    last_day: date,
    models: Collection[str],
) -> Metered:
    """Return the usage of ``models`` from ``first_day`` to ``last_day`` inclusive.

    Days are those of ``zone``; the quarter hours include a day more at both ends.
    """
    start, end = day_bounds(first_day, zone)[0], day_bounds(last_day, zone)[1]
    asked = {"start": start, "end": end, "models": sorted(models)}
    metered = Metered()
    if (last_day - first_day).days >= _LONGEST_SERIES_DAYS:
        rows = await connection.execute(_DAYS, {**asked, "zone": zone.key})
        for day, model, meter, quantity, calls in rows:
            metered.add(day, model, meter, quantity, calls)
        return metered
    # The days follow from the quarter hours, so the rollups are read once.
    margin = timedelta(days=1)
    asked |= {"start": start - margin, "end": end + margin}
    for bucket, model, meter, quantity, calls in await connection.execute(_QUARTERS, asked):
        metered.quarters.setdefault((model, meter), []).append((bucket, quantity))
        if start <= bucket < end:
            metered.add(bucket.astimezone(zone).date(), model, meter, quantity, calls)
    return metered
