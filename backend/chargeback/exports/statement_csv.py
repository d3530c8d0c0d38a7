"""A statement as CSV: a row for each part of each line, ready for a pivot table."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from backend.chargeback.rules.documents import Entry
from backend.kit.spreadsheets import csv_text, spreadsheet_cell
from backend_client.types.chargeback import Statement
from backend_client.types.common import plain

_HEAD = (
    "month",
    "state",
    "department",
    "cost_center",
    "name",
    "invoice",
    "line",
    "kind",
    "item",
    "plan",
    "period_start",
    "period_end",
    "adjustment",
    "quantity",
    "cost",
    "tax",
    "charged",
    "currency",
)


def statement_csv(
    statement: Statement, entries: Sequence[Entry], names: Callable[[str], str]
) -> str:
    """Write a month's entries, numbers in full. What nobody bears has no cost center.

    ``department`` has the names of the departments above the cost center, from the top.
    """
    return csv_text(_HEAD, [_row(statement, entry, names) for entry in entries])


def _row(statement: Statement, entry: Entry, names: Callable[[str], str]) -> list[object]:
    *above, code = entry.path or ("",)
    item = entry.key.item
    return [
        statement.month.isoformat(),
        statement.state.value,
        spreadsheet_cell(" / ".join(names(unit) for unit in above)),
        code,
        spreadsheet_cell(names(code)) if code else "",
        entry.number or "",
        "" if entry.line is None else entry.line,
        item.kind,
        spreadsheet_cell(entry.name),
        item.plan or "",
        entry.key.start.isoformat(),
        entry.key.end.isoformat(),
        "yes" if entry.adjustment else "no",
        "" if entry.quantity is None else plain(entry.quantity),
        f"{entry.cost:f}",
        f"{entry.tax:f}",
        f"{entry.charged:f}",
        statement.cost.currency,
    ]
