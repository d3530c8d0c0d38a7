"""Reads how models performed at the gateway, of all its customers together.

How many calls there were is the seller's to know, so that no answer has it; a model with too few to
say anything by is not in it at all.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import RowMapping, select
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.gateway.latencies import BUCKETS, percentile
from backend.storage.tables import model_hours
from backend_client.types.models import Latency, ModelHour, ModelPerformance

FEWEST_CALLS: Final = 5


async def model_performance(
    connection: AsyncConnection, *, since: datetime
) -> list[ModelPerformance]:
    """Return how each model performed from the hour of ``since`` on, by model id."""
    hour = since.replace(minute=0, second=0, microsecond=0)
    query = (
        select(model_hours)
        .where(model_hours.c.hour >= hour)
        .order_by(model_hours.c.model, model_hours.c.hour)
    )
    by_model: defaultdict[str, list[RowMapping]] = defaultdict(list)
    for row in (await connection.execute(query)).mappings():
        by_model[row["model"]].append(row)
    return [
        _performance(model, rows)
        for model, rows in by_model.items()
        if sum(row["answered"] + row["failed"] for row in rows) >= FEWEST_CALLS
    ]


def _performance(model: str, rows: list[RowMapping]) -> ModelPerformance:
    return ModelPerformance(
        model=model,
        error_rate=_error_rate(rows),
        total=_latency(row["total_counts"] for row in rows),
        first_token=_latency(row["first_token_counts"] for row in rows),
        hours=[
            ModelHour(
                start=row["hour"],
                end=row["hour"] + timedelta(hours=1),
                error_rate=_error_rate([row]),
                total_p50=_rounded(percentile(row["total_counts"], 0.5)),
            )
            for row in rows
        ],
    )


def _error_rate(rows: Iterable[RowMapping]) -> float:
    counts: list[tuple[int, int]] = [(row["failed"], row["answered"]) for row in rows]
    failed = sum(failures for failures, _ in counts)
    return round(failed / (failed + sum(answers for _, answers in counts)), 3)


def _latency(counts: Iterable[list[int]]) -> Latency | None:
    sums = [sum(bucket) for bucket in zip([0] * BUCKETS, *counts, strict=True)]
    half, most = percentile(sums, 0.5), percentile(sums, 0.95)
    if half is None or most is None:
        return None
    return Latency(p50=round(half, 2), p95=round(most, 2))


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 2)
