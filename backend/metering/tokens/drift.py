"""Drift: how far providers' reports are from the counts of the model's own tokenizer.

The table ``token_drift`` has the sums of each day (UTC), model and meter over all tenants. A pass
of its own computes it again from events, so that running it twice, late, or on two workers gives
the same. Only events with a provider's report and a count of ours take part; voided ones do not,
nor what customers sent. Cached tokens are part of the input here, since no tokenizer can
distinguish them.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import structlog
from sqlalchemy import delete, func, select, text, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.settings import Settings
from backend.storage.tables import token_drift
from backend_client.types.drift import DriftReport, DriftRow, ModelDrift

_log = structlog.get_logger(__name__)

"""Seconds between two passes. Each computes today."""
RECENT_DAYS = 3
"""The last days, today included, that are computed every hour because of late events."""
KEPT_FRESH_DAYS = 35
"""Days that are computed once a day because of corrections; older ones are left as they are."""

_SUMS = text(
    """
    SELECT model, meter, sum(reported) AS reported, sum(counted) AS counted, count(*) AS events
    FROM (
        SELECT model, part.meter, part.reported, part.counted
        FROM events CROSS JOIN LATERAL (VALUES
            ('input_tokens',
             coalesce((quantities ->> 'input_tokens')::numeric, 0)
             + coalesce((quantities ->> 'cached_input_tokens')::numeric, 0)
             + coalesce((quantities ->> 'cache_write_tokens')::numeric, 0)
             + coalesce((quantities ->> 'cache_write_1h_tokens')::numeric, 0),
             coalesce((counted ->> 'input_tokens')::numeric, 0)
             + coalesce((counted ->> 'cached_input_tokens')::numeric, 0)),
            ('output_tokens',
             coalesce((quantities ->> 'output_tokens')::numeric, 0),
             coalesce((counted ->> 'output_tokens')::numeric, 0))
        ) AS part (meter, reported, counted)
        WHERE events.counted IS NOT NULL AND NOT events.voided
            AND events.sender <> 'tenant'
            AND events.time >= :start AND events.time < :end
            AND coalesce(labels ->> 'usage_source', '') <> 'local'
    ) AS parts
    GROUP BY model, meter
    HAVING sum(reported) > 0 OR sum(counted) > 0
    """
)
_DAYS = text(
    """
    SELECT day FROM (
        SELECT moment::date FROM generate_series(
            CAST(:first AS date), CAST(:last AS date), interval '1 day'
        ) AS series (moment)
    ) AS days (day)
    WHERE NOT EXISTS (
        SELECT 1 FROM token_drift
        WHERE token_drift.day = days.day AND computed_at > now() - CASE
            WHEN days.day = CAST(:last AS date) THEN interval '0'
            WHEN days.day > CAST(:last AS date) - CAST(:recent AS integer) THEN interval '1 hour'
            ELSE interval '1 day'
        END
    )
    -- The sums of archived days are left as they are.
    AND NOT EXISTS (
        SELECT 1 FROM event_archives
        WHERE start_at < (days.day + 1) AT TIME ZONE 'UTC' AND end_at > days.day AT TIME ZONE 'UTC'
            AND restored_at IS NULL
    )
    ORDER BY day
    """
)


async def compute_day(connection: AsyncConnection, day: date) -> int:
    """Compute a day's drift again, in the caller's transaction; return how many rows it has."""
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    sums = await connection.execute(_SUMS, {"start": start, "end": start + timedelta(days=1)})
    rows = [{"day": day, **row} for row in sums.mappings()]
    await connection.execute(delete(token_drift).where(token_drift.c.day == day))
    if rows:
        await connection.execute(token_drift.insert(), rows)
    return len(rows)


async def days_due(connection: AsyncConnection, now: datetime) -> Sequence[date]:
    """Return the days whose drift may have changed since it was computed."""
    today = now.astimezone(UTC).date()
    result = await connection.execute(
        _DAYS,
        {
            "first": today - timedelta(days=KEPT_FRESH_DAYS),
            "last": today,
            "recent": RECENT_DAYS,
        },
    )
    return list(result.scalars())


async def drift_report(
    connection: AsyncConnection,
    settings: Settings,
    *,
    start: date,
    end: date,
    models: Sequence[str] = (),
) -> DriftReport:
    """Return the drift of each day from ``start`` to ``end`` (exclusive), and of all days together.

    Rows are ordered by day, model and meter.
    """
    query = (
        select(token_drift)
        .where(token_drift.c.day >= start, token_drift.c.day < end)
        .order_by(token_drift.c.day, token_drift.c.model, token_drift.c.meter)
    )
    if models:
        query = query.where(token_drift.c.model.in_(models))
    rows = [
        DriftRow(**row, ratio=_ratio(row["reported"], row["counted"]))
        for row in (await connection.execute(query)).mappings()
    ]
    return DriftReport(
        start=start,
        end=end,
        tolerance=settings.drift_tolerance,
        models=_by_model(rows, settings.drift_tolerance),
        rows=rows,
    )


async def latest_drift(connection: AsyncConnection) -> Sequence[tuple[str, str, Decimal]]:
    """Return model, meter and ratio of each model's latest day, for the metrics."""
    newest = (
        select(token_drift.c.model, token_drift.c.meter, func.max(token_drift.c.day))
        .group_by(token_drift.c.model, token_drift.c.meter)
        .subquery()
    )
    place = tuple_(token_drift.c.model, token_drift.c.meter, token_drift.c.day)
    rows = await connection.execute(select(token_drift).where(place.in_(select(newest))))
    return [
        (row["model"], row["meter"], ratio)
        for row in rows.mappings()
        if (ratio := _ratio(row["reported"], row["counted"])) is not None
    ]


def _by_model(rows: Sequence[DriftRow], tolerance: Decimal) -> list[ModelDrift]:
    sums: dict[tuple[str, str], tuple[Decimal, Decimal, int]] = {}
    for row in rows:
        reported, counted, events = sums.get((row.model, row.meter), (Decimal(0), Decimal(0), 0))
        sums[row.model, row.meter] = (
            reported + row.reported,
            counted + row.counted,
            events + row.events,
        )
    models = []
    for (model, meter), (reported, counted, events) in sorted(sums.items()):
        ratio = _ratio(reported, counted)
        models.append(
            ModelDrift(
                model=model,
                meter=meter,
                reported=reported,
                counted=counted,
                events=events,
                ratio=ratio,
                alert=ratio is None or abs(ratio) > tolerance,
            )
        )
    return models


def _ratio(reported: Decimal, counted: Decimal) -> Decimal | None:
    """Return by how much the report exceeds the count, as a part of the count: 0.02 is 2 % more.

    None if nothing was counted.
    """
    if counted == 0:
        return None
    return ((reported - counted) / counted).quantize(Decimal("0.000001"))
