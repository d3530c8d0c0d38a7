"""Reads how a tenant's calls went: counts, and percentiles of times, over any time."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Row, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.gateway.latencies import BUCKETS, percentile
from backend.metering.errors import TooManyUsageRows
from backend.metering.queries.widths import start_of, true_start
from backend.storage.tables import call_measures
from backend_client.types.accounts import Tenant
from backend_client.types.calls import CallDimension, CallsReport, CallsRow, Percentiles
from backend_client.types.usage import Granularity

MOST_ROWS: Final = 5_000
_COLUMNS: Final = {
    CallDimension.APPLICATION: call_measures.c.application_id,
    CallDimension.KEY: call_measures.c.key_id,
    CallDimension.MODEL: call_measures.c.model,
    CallDimension.STATUS: call_measures.c.status,
    CallDimension.CAUSE: call_measures.c.cause,
}


@dataclass(frozen=True, slots=True)
class CallsQuestion:
    """A query: ``start`` inclusive, ``end`` exclusive; an empty filter matches all."""

    start: datetime
    end: datetime
    granularity: Granularity = Granularity.DAY
    time_zone: str | None = None
    group_by: frozenset[CallDimension] = frozenset()
    applications: Collection[str] = ()
    keys: Collection[str] = ()
    models: Collection[str] = ()
    statuses: Collection[str] = ()
    causes: Collection[str] = ()


async def calls_report(
    connection: AsyncConnection, tenant: Tenant, question: CallsQuestion
) -> CallsReport:
    """Count the calls that began in the asked time, by bucket and the dimensions grouped by.

    Raises:
        TooManyUsageRows: the answer would be too long.
    """
    zone = question.time_zone or tenant.time_zone
    measures = call_measures.c
    grouped = [dimension for dimension in CallDimension if dimension in question.group_by]
    start = start_of(question.granularity, measures.bucket, question.start, zone).label("start")
    columns = [_COLUMNS[dimension] for dimension in grouped]
    conditions = [
        measures.tenant_id == tenant.id,
        measures.bucket >= question.start,
        measures.bucket < question.end,
        *(
            column.in_(wanted)
            for column, wanted in (
                (measures.application_id, question.applications),
                (measures.key_id, question.keys),
                (measures.model, question.models),
                (measures.status, question.statuses),
                (measures.cause, question.causes),
            )
            if wanted
        ),
    ]
    query = (
        select(
            start,
            *columns,
            func.sum(measures.calls),
            # A sum for each bucket of the histograms, whose bounds are fixed
            *(func.sum(measures.total_counts[place + 1]) for place in range(BUCKETS)),
            *(func.sum(measures.first_token_counts[place + 1]) for place in range(BUCKETS)),
        )
        .where(*conditions)
        .group_by(start, *columns)
        .order_by(start, *columns)
        .limit(MOST_ROWS + 1)
    )
    rows = (await connection.execute(query)).all()
    if len(rows) > MOST_ROWS:
        raise TooManyUsageRows(
            f"One answer has at most {MOST_ROWS:,} rows of calls: ask for less time, for a wider "
            "granularity, or group by less."
        )
    return CallsReport(
        start=question.start,
        end=question.end,
        granularity=question.granularity,
        time_zone=zone,
        rows=[_row(row, grouped, question.granularity, zone) for row in rows],
    )


def _row(
    row: Row[Any], grouped: Sequence[CallDimension], granularity: Granularity, zone: str
) -> CallsRow:
    first, last = 1 + len(grouped), 2 + len(grouped) + BUCKETS
    return CallsRow(
        start=true_start(row[0], granularity, zone),
        **{dimension.value: row[place] for place, dimension in enumerate(grouped, 1)},
        calls=row[first],
        seconds=_percentiles(row[first + 1 : last]),
        first_token_seconds=_percentiles(row[last:]),
    )


def _percentiles(sums: Sequence[int | None]) -> Percentiles | None:
    counts = [int(number or 0) for number in sums]
    values = [percentile(counts, share) for share in (0.5, 0.95, 0.99)]
    half, most, nearly_all = (None if value is None else round(value, 3) for value in values)
    if half is None or most is None or nearly_all is None:
        return None
    return Percentiles(p50=half, p95=most, p99=nearly_all)
