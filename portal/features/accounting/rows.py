"""Months of the books as rows. Plain functions."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from backend_client.types.accounting import BookEntry, RevenueKind, RevenueMonth
from portal.kit.choice import Choice
from portal.kit.formatting import day, money

EVERYBODY = "all"
"""Stands for all customers where one's id would be."""
MOST_LINES = 200
MONTHS_AHEAD = 11
_MONTHS_BACK = 24
_KINDS = {
    RevenueKind.DEFERRED: "Deferred",
    RevenueKind.UNBILLED: "Unbilled",
    RevenueKind.PREPAID: "Prepaid credit",
}
_NAMES = (
    *("January", "February", "March", "April", "May", "June", "July"),
    *("August", "September", "October", "November", "December"),
)


@dataclass(frozen=True)
class RevenueRow:
    """What a month does to deferred, unbilled or prepaid revenue."""

    kind: str
    month: str
    opening: str
    additions: str
    released: str
    recognized: str
    closing: str


@dataclass(frozen=True)
class LineRow:
    """A line of an entry; the entry stands with its first line."""

    day: str
    reference: str
    text: str
    account: str
    debit: str
    credit: str


def months_back(today: date) -> list[Choice]:
    """The months to choose from, this one first."""
    months, month = [], today.replace(day=1)
    for _ in range(_MONTHS_BACK):
        months.append(Choice(month.isoformat(), month_name(month)))
        month = months_on(month, -1)
    return months


def months_on(month: date, number: int) -> date:
    """The month that comes a number of months later, or before."""
    years, place = divmod(month.month - 1 + number, 12)
    return date(month.year + years, place + 1, 1)


def month_name(month: date) -> str:
    """A month as it is called: March 2026."""
    return f"{_NAMES[month.month - 1]} {month.year}"


def revenue_rows(rows: Iterable[RevenueMonth], month: date) -> list[RevenueRow]:
    """What a month does, kind by kind; kinds in which nothing is are left out."""
    return [_revenue_row(row) for row in rows if row.month == month and _says_something(row)]


def deferred_rows(rows: Iterable[RevenueMonth]) -> list[RevenueRow]:
    """How deferred revenue is recognized, month by month."""
    return [
        _revenue_row(row)
        for row in rows
        if row.kind is RevenueKind.DEFERRED and _says_something(row)
    ]


def line_rows(entries: Iterable[BookEntry]) -> list[LineRow]:
    """The lines of entries."""
    return [
        LineRow(
            day=day(entry.booked_on) if place == 0 else "",
            reference=entry.reference if place == 0 else "",
            text=line.text if place == 0 else "",
            account=line.account,
            debit=money(line.amount.amount, entry.currency) if line.amount.amount > 0 else "",
            credit=money(-line.amount.amount, entry.currency) if line.amount.amount < 0 else "",
        )
        for entry in entries
        for place, line in enumerate(entry.lines)
    ]


def _says_something(row: RevenueMonth) -> bool:
    amounts = (row.opening, row.additions, row.released, row.recognized, row.closing)
    return any(amount.amount for amount in amounts)


def _revenue_row(row: RevenueMonth) -> RevenueRow:
    def shown(name: str) -> str:
        return money(getattr(row, name).amount, row.currency)

    return RevenueRow(
        kind=_KINDS[row.kind],
        month=month_name(row.month),
        opening=shown("opening"),
        additions=shown("additions"),
        released=shown("released"),
        recognized=shown("recognized"),
        closing=shown("closing"),
    )
