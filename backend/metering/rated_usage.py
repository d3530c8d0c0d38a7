"""Usage as rating wants it: summed by model, meter and window over stretches of time."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import msgspec
from sqlalchemy import DateTime, Integer, Text, TextClause, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.pricing.rate_card import MeteredQuantity
from backend.pricing.windows import WindowedSpan

# Each span is summed by itself, from one range of the index, and the few sums are put together.
# OFFSET keeps PostgreSQL from making one large join of it.
_QUERY = """
    SELECT span.place, span.window_id, used.model, used.meter, used.labels, sum(used.quantity)
    FROM unnest(:places, :windows, :starts, :ends) AS span (place, window_id, start_at, end_at)
    CROSS JOIN LATERAL (
        SELECT rollups.model, rollups.meter, {labels} AS labels, sum(rollups.quantity) AS quantity
        FROM rollups
        WHERE rollups.tenant_id = :tenant_id
            AND rollups.bucket >= span.start_at AND rollups.bucket < span.end_at
        GROUP BY 1, 2, 3
        OFFSET 0
    ) AS used
    GROUP BY 1, 2, 3, 4, 5
    ORDER BY 1, 2, 3, 4, 5
    """


def _query(labels: str) -> TextClause:
    return text(_QUERY.format(labels=labels)).bindparams(
        bindparam("places", type_=ARRAY(Integer)),
        bindparam("windows", type_=ARRAY(Text)),
        bindparam("starts", type_=ARRAY(DateTime(timezone=True))),
        bindparam("ends", type_=ARRAY(DateTime(timezone=True))),
    )


_SUMMED = _query("NULL::text")
_BY_LABELS = _query("rollups.labels::text")


async def period_usage(
    connection: AsyncConnection,
    tenant_id: str,
    stretches: Sequence[Sequence[WindowedSpan]],
    labels: Collection[str] = (),
) -> list[list[MeteredQuantity]]:
    """Return the usage in each stretch, in one query.

    A stretch is the spans that its plan's windows cut it into; see ``windows.windowed_spans``.
    Spans start and end at quarter hours: a rollup counts where it starts. ``labels`` are those that
    a plan prices by; usage is told apart by no others.
    """
    found: list[list[MeteredQuantity]] = [[] for _ in stretches]
    spans = [(place, span) for place, stretch in enumerate(stretches) for span in stretch]
    if not spans:
        return found
    rows = await connection.execute(
        _BY_LABELS if labels else _SUMMED,
        {
            "tenant_id": tenant_id,
            "places": [place for place, _ in spans],
            "windows": [span.window for _, span in spans],
            "starts": [span.start for _, span in spans],
            "ends": [span.end for _, span in spans],
        },
    )
    for place, window, model, meter, counted_by, quantity in rows:
        known = {} if counted_by is None else msgspec.json.decode(counted_by, type=dict[str, str])
        kept = tuple(sorted((name, value) for name, value in known.items() if name in labels))
        found[place].append(MeteredQuantity(model, meter, quantity, window, kept))
    return found
