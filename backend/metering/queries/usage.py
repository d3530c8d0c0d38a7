"""Usage over time, read from rollups alone."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from pydantic import TypeAdapter
from sqlalchemy import (
    ColumnElement,
    Subquery,
    Table,
    and_,
    func,
    select,
    union_all,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.kit.spreadsheets import csv_text, spreadsheet_cell
from backend.metering.counting.daily import SplitTime, split_at_days
from backend.metering.errors import TooManyUsageRows
from backend.metering.queries.values import grouped_values
from backend.metering.queries.widths import start_of, true_start
from backend.storage.tables import daily_rollups, rollups, usage_values, usage_versions
from backend_client.types.accounts import Tenant
from backend_client.types.common import plain
from backend_client.types.usage import Granularity, UsageDimension, UsageReport, UsageRow

_COLUMNS = {
    UsageDimension.APPLICATION: "application_id",
    UsageDimension.KEY: "key_id",
    UsageDimension.MODEL: "model",
    UsageDimension.UPSTREAM: "upstream",
}


RowDict = dict[str, Any]

_ROWS = TypeAdapter(list[UsageRow])
MOST_ROWS: Final = 50_000
"""In one answer, which is some 8 MB of JSON."""


@dataclass(frozen=True, slots=True)
class UsageQuestion:
    """A query: ``start`` inclusive, ``end`` exclusive; an empty filter matches all.

    Days and months are those of ``time_zone``, or of the tenant's without one.
    """

    start: datetime
    end: datetime
    granularity: Granularity = Granularity.DAY
    group_by: frozenset[UsageDimension] = frozenset()
    applications: Collection[str] = ()
    keys: Collection[str] = ()
    models: Collection[str] = ()
    upstreams: Collection[str] = ()
    meters: Collection[str] = ()
    by_labels: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    time_zone: str | None = None


async def usage_version(connection: AsyncConnection, tenant_id: str) -> tuple[int, datetime | None]:
    """Return the version of the tenant's usage, and when its newest event was received."""
    result = await connection.execute(
        select(usage_versions.c.version, usage_versions.c.last_event_at).where(
            usage_versions.c.tenant_id == tenant_id
        )
    )
    row = result.first()
    return (0, None) if row is None else (row[0], row[1])


async def usage_report(
    connection: AsyncConnection, tenant: Tenant, question: UsageQuestion
) -> UsageReport:
    """Sum the rollups that start in the asked time, by bucket, meter and the dimensions grouped by.

    Of meters that are not summed, each row has the value of its own time and dimensions. They are
    kept by no label and no upstream, and are left out where usage is asked for by one.
    ``connection`` should be a snapshot, so that the report's version is that of its rows. Raises
    ``TooManyUsageRows``.
    """
    version, last_event_at = await usage_version(connection, tenant.id)
    zone = question.time_zone or tenant.time_zone
    used = _used(tenant, question)
    start = used.c.start
    grouped: list[ColumnElement[Any]] = [
        used.c[name].label(dimension.value)
        for dimension, name in _COLUMNS.items()
        if dimension in question.group_by
    ]
    grouped += [
        used.c.labels[name].astext.label(f"label_{place}")
        for place, name in enumerate(question.by_labels)
    ]
    query = (
        select(
            start,
            used.c.meter,
            *grouped,
            func.sum(used.c.quantity).label("quantity"),
            func.sum(used.c.event_count).label("event_count"),
        )
        .group_by(start, used.c.meter, *grouped)
        .order_by(start, used.c.meter, *grouped)
        .limit(MOST_ROWS + 1)
    )
    rows: list[RowDict] = [dict(row) for row in (await connection.execute(query)).mappings()]
    if values := await _values(connection, tenant, question):
        rows = sorted([*rows, *values], key=lambda row: _place(row, question))
    if len(rows) > MOST_ROWS:
        raise TooManyUsageRows(
            f"One answer has at most {MOST_ROWS:,} rows: ask for less time, for a wider "
            "granularity, or group by less."
        )
    return UsageReport(
        start=question.start,
        end=question.end,
        granularity=question.granularity,
        time_zone=zone,
        rows=_rows(rows, question, zone),
        version=version,
        last_event_at=last_event_at,
    )


def _rows(summed: Sequence[RowDict], question: UsageQuestion, time_zone: str) -> list[UsageRow]:
    rows = []
    for row in summed:
        row["start"] = true_start(row["start"], question.granularity, time_zone)
        for name in ("key", "upstream"):  # empty in the rollups where there is none
            row[name] = row.get(name) or None
        if question.by_labels:
            places = enumerate(question.by_labels)
            row["labels"] = {name: row[f"label_{place}"] for place, name in places}
        rows.append(row)
    # All at once: a thousand rows one by one take as long as PostgreSQL takes to sum them
    return _ROWS.validate_python(rows)


def _place(row: RowDict, question: UsageQuestion) -> tuple[object, ...]:
    """Return what rows are ordered by: as PostgreSQL orders those of the rollups."""
    dimensions = (row[each.value] for each in _COLUMNS if each in question.group_by)
    return (row["start"], row["meter"], *dimensions)


async def _values(
    connection: AsyncConnection, tenant: Tenant, question: UsageQuestion
) -> list[RowDict]:
    """Return the rows of meters that are not summed."""
    by_upstream = question.upstreams or UsageDimension.UPSTREAM in question.group_by
    if question.labels or question.by_labels or by_upstream:
        return []
    bucket = usage_values.c.bucket
    return await grouped_values(
        connection,
        _start(question, bucket, question.time_zone or tenant.time_zone),
        [
            usage_values.c[name].label(dimension.value)
            for dimension, name in _COLUMNS.items()
            if dimension in question.group_by
        ],
        [
            _conditions(tenant.id, question, usage_values),
            bucket >= question.start,
            bucket < question.end,
        ],
        MOST_ROWS,
    )


def _start(
    question: UsageQuestion, bucket: ColumnElement[datetime], zone: str
) -> ColumnElement[datetime]:
    if question.granularity is Granularity.DAY and bucket is daily_rollups.c.day:
        return bucket
    return start_of(question.granularity, bucket, question.start, zone)


def _used(tenant: Tenant, question: UsageQuestion) -> Subquery:
    """Select the asked rollups: daily ones for whole days of the tenant's, else quarter hours."""
    zone = question.time_zone or tenant.time_zone
    time = SplitTime(None, ((question.start, question.end),))
    fine = question.granularity in {Granularity.QUARTER_HOUR, Granularity.HOUR}
    own_days = zone == tenant.time_zone or question.granularity is Granularity.TOTAL
    if own_days and not fine:
        time = split_at_days(question.start, question.end, tenant.time_zone)
    parts = [(rollups, rollups.c.bucket, part) for part in time.rest]
    if time.days is not None:
        parts.append((daily_rollups, daily_rollups.c.day, time.days))
    return union_all(
        *(
            select(
                _start(question, starts, zone).label("start"),
                *(table.c[name] for name in (*_COLUMNS.values(), "meter", "labels")),
                table.c.quantity,
                table.c.event_count,
            ).where(_conditions(tenant.id, question, table), starts >= start, starts < end)
            for table, starts, (start, end) in parts
        )
    ).subquery("used")


def _conditions(tenant_id: str, question: UsageQuestion, table: Table) -> ColumnElement[bool]:
    conditions: list[ColumnElement[bool]] = [table.c.tenant_id == tenant_id]
    for name, wanted in (
        ("application_id", question.applications),
        ("key_id", question.keys),
        ("model", question.models),
        ("upstream", question.upstreams),
        ("meter", question.meters),
    ):
        if wanted:
            conditions.append(table.c[name].in_(wanted))
    if question.labels:
        conditions.append(table.c.labels.contains(dict(question.labels)))
    return and_(*conditions)


def usage_csv(
    rows: Sequence[UsageRow], by_labels: Sequence[str] = (), *, by_upstream: bool = False
) -> str:
    """Return rows as CSV (RFC 4180), quantities in full; upstreams only if grouped by them."""
    names = [spreadsheet_cell(f"label.{name}") for name in by_labels]
    head = ["start", "application", "key", "model", "meter", "quantity", "event_count"]
    cells = (
        [
            row.start.isoformat(),
            *(spreadsheet_cell(value) for value in (row.application, row.key, row.model)),
            row.meter,
            plain(row.quantity),
            row.event_count,
            *((spreadsheet_cell(row.upstream),) if by_upstream else ()),
            *(spreadsheet_cell(row.labels.get(name)) for name in by_labels),
        ]
        for row in rows
    )
    return csv_text([*head, *(["upstream"] if by_upstream else []), *names], cells)
