"""The usage chart in rows: its legend and its table. Plain functions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from backend_client.types.usage import UsageReport
from portal.features.usage.chart import UsageBars, bucket_name
from portal.kit.formatting import count

TABLE_ROWS = 100


@dataclass(frozen=True)
class LegendEntry:
    """A series of the chart."""

    name: str
    color: str
    total: str


@dataclass(frozen=True)
class TableRow:
    """A time bucket of the table beside the chart."""

    when: str
    cells: list[str]


def usage_table(bars: UsageBars, report: UsageReport) -> tuple[list[str], list[TableRow], int]:
    """The bars as a table, newest first: its heads, its rows, and how many rows were left out."""
    heads = [series.name for series in bars.series]
    cells: dict[datetime, dict[str, str]] = {}
    for start, name, quantity in bars.table:
        cells.setdefault(start, {})[name] = count(quantity)
    newest = sorted(cells, reverse=True)
    rows = [
        TableRow(
            bucket_name(start, report.granularity, report.time_zone),
            [cells[start].get(name, "0") for name in heads],
        )
        for start in newest[:TABLE_ROWS]
    ]
    return heads, rows, max(0, len(newest) - TABLE_ROWS)


def named(report: UsageReport) -> set[str]:
    """The ids in a report that have names of their own."""
    return {id_ for row in report.rows for id_ in (row.application, row.key) if id_ is not None}


def change_of(report: UsageReport, earlier: UsageReport, meters: Sequence[str]) -> str:
    """How much more or less of ``meters`` there was than in the time before, in a word or two."""
    now, before = (
        sum((row.quantity for row in each.rows if row.meter in meters), Decimal(0))
        for each in (report, earlier)
    )
    if not before:
        return "none in the time before" if now else ""
    percent = (now / before - 1) * 100
    if abs(percent) < Decimal("0.5"):
        return "as much as in the time before"
    return f"{'+' if percent > 0 else '−'}{abs(percent):,.0f}% on the time before"
