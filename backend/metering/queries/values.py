"""Meters that are not summed: the highest, the last, and how many different ones there were."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    DateTime,
    Integer,
    Text,
    bindparam,
    case,
    desc,
    func,
    literal_column,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, aggregate_order_by
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.storage.tables import catalog_meters, usage_values

Spans = Sequence[tuple[datetime, datetime]]
"""Times that don't overlap, each without its end. They start and end at quarter hours."""

# Of each member of a meter by itself, since only these add up
_MEMBER_VALUE: Final = case(
    (catalog_meters.c.aggregation == "max", func.max(usage_values.c.quantity)),
    (
        catalog_meters.c.aggregation == "last",
        # Of two at one time the higher counts, whichever came first
        func.array_agg(
            aggregate_order_by(
                usage_values.c.quantity, desc(usage_values.c.at), desc(usage_values.c.quantity)
            )
        )[1],
    ),
    else_=1,
)

_OVER: Final = text(
    """
    WITH of_member AS (
        SELECT place, meter,
               CASE aggregation
                   WHEN 'max' THEN max(quantity)
                   WHEN 'last' THEN (array_agg(quantity ORDER BY at DESC, quantity DESC))[1]
                   ELSE 1
               END AS value
        FROM unnest(:places, :starts, :ends) AS wanted (place, start_at, end_at)
        JOIN usage_values
          ON tenant_id = :tenant_id AND meter = ANY(:meters)
         AND bucket >= start_at AND bucket < end_at
        JOIN catalog_meters ON catalog_meters.id = meter
        GROUP BY place, meter, member, aggregation
    )
    SELECT place, meter, sum(value) FROM of_member GROUP BY place, meter
    """
).bindparams(
    bindparam("places", type_=ARRAY(Integer)),
    bindparam("starts", type_=ARRAY(DateTime(timezone=True))),
    bindparam("ends", type_=ARRAY(DateTime(timezone=True))),
    bindparam("meters", type_=ARRAY(Text)),
)


async def values_over(
    connection: AsyncConnection,
    tenant_id: str,
    meters: Collection[str],
    times: Sequence[Spans],
) -> list[dict[str, Decimal]]:
    """Return the value of each meter in each of ``times``, every one of several spans.

    Only meters that are not summed have one; a meter that no event had is left out.
    """
    values: list[dict[str, Decimal]] = [{} for _ in times]
    spans = [(place, *span) for place, own in enumerate(times) for span in own]
    if not meters or not spans:
        return values
    parameters = {
        "tenant_id": tenant_id,
        "meters": sorted(meters),
        "places": [place for place, _, _ in spans],
        "starts": [start for _, start, _ in spans],
        "ends": [end for _, _, end in spans],
    }
    for place, meter, value in await connection.execute(_OVER, parameters):
        values[place][meter] = value
    return values


async def grouped_values(
    connection: AsyncConnection,
    start: ColumnElement[datetime],
    grouped: Sequence[ColumnElement[Any]],
    conditions: Sequence[ColumnElement[bool]],
    most: int,
) -> list[dict[str, Any]]:
    """Return the values by ``start``, meter and group, with the number of events, as usage's rows.

    Each group's value is of its own events: those of several groups can't be added.
    """
    names = [column.name for column in grouped]
    of_member = (
        select(
            start.label("start"),
            usage_values.c.meter,
            *grouped,
            _MEMBER_VALUE.label("value"),
            func.sum(usage_values.c.event_count).label("event_count"),
        )
        .join(catalog_meters, catalog_meters.c.id == usage_values.c.meter)
        .where(*conditions)
        .group_by(
            literal_column("1"),
            usage_values.c.meter,
            *grouped,
            usage_values.c.member,
            catalog_meters.c.aggregation,
        )
        .subquery()
    )
    keys = [of_member.c.start, of_member.c.meter, *(of_member.c[name] for name in names)]
    query = (
        select(
            *keys,
            func.sum(of_member.c.value).label("quantity"),
            func.sum(of_member.c.event_count).label("event_count"),
        )
        .group_by(*keys)
        .limit(most + 1)
    )
    return [dict(row) for row in (await connection.execute(query)).mappings()]
