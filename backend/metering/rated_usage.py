"""Usage as rating wants it: summed by model, meter and window over stretches of time."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import DateTime, Integer, Text, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.pricing.rate_card import MeteredQuantity
from backend.pricing.windows import WindowedSpan

_QUERY = text(
    """
    SELECT span.place, span.window_id, rollups.model, rollups.meter, sum(rollups.quantity)
    FROM unnest(:places, :windows, :starts, :ends) AS span (place, window_id, start_at, end_at)
    JOIN rollups ON rollups.tenant_id = :tenant_id
        AND rollups.bucket >= span.start_at AND rollups.bucket < span.end_at
    GROUP BY 1, 2, 3, 4
    ORDER BY 1, 2, 3, 4
    """
).bindparams(
    bindparam("places", type_=ARRAY(Integer)),
    bindparam("windows", type_=ARRAY(Text)),
    bindparam("starts", type_=ARRAY(DateTime(timezone=True))),
    bindparam("ends", type_=ARRAY(DateTime(timezone=True))),
)


async def period_usage(
    connection: AsyncConnection, tenant_id: str, stretches: Sequence[Sequence[WindowedSpan]]
) -> list[list[MeteredQuantity]]:
    """Return the usage in each stretch, in one query.

    A stretch is the spans that its plan's windows cut it into; see ``windows.windowed_spans``.
    Spans start and end at quarter hours: a rollup counts where it starts.
    """
    found: list[list[MeteredQuantity]] = [[] for _ in stretches]
    spans = [(place, span) for place, stretch in enumerate(stretches) for span in stretch]
    if not spans:
        return found
    rows = await connection.execute(
        _QUERY,
        {
            "tenant_id": tenant_id,
            "places": [place for place, _ in spans],
            "windows": [span.window for _, span in spans],
            "starts": [span.start for _, span in spans],
            "ends": [span.end for _, span in spans],
        },
    )
    for place, window, model, meter, quantity in rows:
        found[place].append(MeteredQuantity(model, meter, quantity, window))
    return found
