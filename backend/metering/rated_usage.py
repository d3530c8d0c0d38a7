"""Usage as rating wants it: summed by model and meter over stretches of time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import DateTime, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.pricing.rating import MeteredQuantity

_QUERY = text(
    """
    SELECT stretch.place, rollups.model, rollups.meter, sum(rollups.quantity) AS quantity
    FROM unnest(:starts, :ends) WITH ORDINALITY AS stretch (start_at, end_at, place)
    JOIN rollups ON rollups.tenant_id = :tenant_id
        AND rollups.bucket >= stretch.start_at AND rollups.bucket < stretch.end_at
    GROUP BY stretch.place, rollups.model, rollups.meter
    ORDER BY stretch.place, rollups.model, rollups.meter
    """
).bindparams(
    bindparam("starts", type_=ARRAY(DateTime(timezone=True))),
    bindparam("ends", type_=ARRAY(DateTime(timezone=True))),
)


async def period_usage(
    connection: AsyncConnection, tenant_id: str, boundaries: Sequence[tuple[datetime, datetime]]
) -> list[list[MeteredQuantity]]:
    """Return the usage in each stretch, ``start`` inclusive and ``end`` exclusive, in one query.

    Stretches should start and end at quarter hours: a rollup counts where it starts.
    """
    found: list[list[MeteredQuantity]] = [[] for _ in boundaries]
    if not boundaries:
        return found
    rows = await connection.execute(
        _QUERY,
        {
            "tenant_id": tenant_id,
            "starts": [start for start, _ in boundaries],
            "ends": [end for _, end in boundaries],
        },
    )
    for place, model, meter, quantity in rows:
        found[place - 1].append(MeteredQuantity(model, meter, quantity))
    return found
