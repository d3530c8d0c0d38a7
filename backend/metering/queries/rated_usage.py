"""Usage for rating: summed by model, meter and window over stretches."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import timedelta

import msgspec
from sqlalchemy import DateTime, Integer, Text, TextClause, bindparam, select, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.metering.counting.daily import split_at_days
from backend.pricing.charges.rate_card import MeteredQuantity
from backend.pricing.charges.windows import WindowedTime
from backend.storage.tables import tenants

_Placed = tuple[int, WindowedTime]
"""A time within one window, and the place of its stretch."""

# Each time is summed from one range of the index, and the few sums are added up.
# OFFSET keeps PostgreSQL from making one large join.
_PART = """
    SELECT wanted.place, wanted.window_id, used.model, used.meter, used.labels, used.quantity
    FROM unnest(:{table}_places, :{table}_windows, :{table}_starts, :{table}_ends)
        AS wanted (place, window_id, start_at, end_at)
    CROSS JOIN LATERAL (
        SELECT model, meter, {labels} AS labels, sum(quantity) AS quantity
        FROM {table}
        WHERE tenant_id = :tenant_id AND {starts} >= wanted.start_at AND {starts} < wanted.end_at
        GROUP BY 1, 2, 3
        OFFSET 0
    ) AS used
    """
_SUM = """
    SELECT place, window_id, model, meter, labels, sum(quantity) FROM ({parts}) AS parts
    GROUP BY 1, 2, 3, 4, 5
    ORDER BY 1, 2, 3, 4, 5
    """
_TABLES = {"rollups": "bucket", "daily_rollups": "day"}
_ONE_DAY = timedelta(days=1)


def _query(labels: str) -> TextClause:
    parts = [
        _PART.format(table=table, starts=starts, labels=labels) for table, starts in _TABLES.items()
    ]
    return text(_SUM.format(parts=" UNION ALL ".join(parts))).bindparams(
        *(
            bindparam(f"{table}_{name}", type_=ARRAY(kind))
            for table in _TABLES
            for name, kind in (
                ("places", Integer),
                ("windows", Text),
                ("starts", DateTime(timezone=True)),
                ("ends", DateTime(timezone=True)),
            )
        )
    )


_SUMMED = _query("NULL::text")
_BY_LABELS = _query("labels::text")


async def period_usage(
    connection: AsyncConnection,
    tenant_id: str,
    stretches: Sequence[Sequence[WindowedTime]],
    labels: Collection[str] = (),
) -> list[list[MeteredQuantity]]:
    """Return the usage in each stretch, in one query.

    A stretch is given as the times that its plan's windows divide it into; see
    ``windows.cut_at_windows``. They start and end at quarter hours: a rollup counts where it
    starts. ``labels`` are those that a plan prices by; usage is divided by no others.
    """
    usage: list[list[MeteredQuantity]] = [[] for _ in stretches]
    times = [(place, time) for place, stretch in enumerate(stretches) for time in stretch]
    if not times:
        return usage
    days, rest = await _split(connection, tenant_id, times)
    parameters: dict[str, object] = {"tenant_id": tenant_id}
    for table, parts in (("daily_rollups", days), ("rollups", rest)):
        parameters |= {
            f"{table}_places": [place for place, _ in parts],
            f"{table}_windows": [time.window for _, time in parts],
            f"{table}_starts": [time.start for _, time in parts],
            f"{table}_ends": [time.end for _, time in parts],
        }
    rows = await connection.execute(_BY_LABELS if labels else _SUMMED, parameters)
    for place, window, model, meter, counted_by, quantity in rows:
        counted_labels = (
            {} if counted_by is None else msgspec.json.decode(counted_by, type=dict[str, str])
        )
        kept = tuple(
            sorted((name, value) for name, value in counted_labels.items() if name in labels)
        )
        usage[place].append(MeteredQuantity(model, meter, quantity, window, kept))
    return usage


async def _split(
    connection: AsyncConnection, tenant_id: str, times: Sequence[_Placed]
) -> tuple[list[_Placed], list[_Placed]]:
    """Split times into whole days of the tenant, which are summed already, and the rest."""
    if all(time.end - time.start < _ONE_DAY for _, time in times):
        return [], list(times)
    zone = await connection.scalar(select(tenants.c.time_zone).where(tenants.c.id == tenant_id))
    days: list[_Placed] = []
    rest: list[_Placed] = []
    for place, time in times:
        split = split_at_days(time.start, time.end, zone or "UTC")
        if split.days is not None:
            days.append((place, WindowedTime(*split.days, time.window)))
        rest += [(place, WindowedTime(start, end, time.window)) for start, end in split.rest]
    return days, rest
