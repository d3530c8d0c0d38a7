"""A month's statement as rows. Plain functions."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from backend_client.types.chargeback import (
    ChargebackMode,
    MonthState,
    MonthSummary,
    RowKind,
    Statement,
    StatementLine,
    StatementRow,
)
from portal.kit.choice import Choice
from portal.kit.color import Color
from portal.kit.formatting import count, money, period, second

NOBODY = "nobody"
"""Stands for the rows of nobody where a unit's code would be."""

STATES: dict[MonthState, tuple[str, Color]] = {
    MonthState.RUNNING: ("Running", "blue"),
    MonthState.OPEN: ("Open", "orange"),
    MonthState.CLOSED: ("Closed", "green"),
}


@dataclass(frozen=True)
class BearerRow:
    """A department, a cost center or nobody, as the statement shows it."""

    code: str
    path: str
    name: str
    indent: str
    strong: bool
    warns: bool
    cost: str
    adjustments: str
    charged: str
    budget: str
    over: bool
    opens: str


@dataclass(frozen=True)
class PartRow:
    """A part of an invoice's line."""

    name: str
    detail: str
    bearer: str
    quantity: str
    cost: str
    charged: str


def month_choice(month: MonthSummary) -> Choice:
    """A month in the list to choose from."""
    span = period(month.period.start, month.period.end, month.period.time_zone)
    return Choice(month.month.isoformat(), f"{span} ({STATES[month.state][0].lower()})")


def month_note(statement: Statement) -> str:
    """What there is to know of the month's state."""
    match statement.state:
        case MonthState.RUNNING:
            return "Follows usage; before tax. It can be closed once it is invoiced."
        case MonthState.OPEN if not statement.has_policy:
            return "No departments are set up for this month, so nothing of it is allocated."
        case MonthState.OPEN:
            return "Invoiced. Close it to keep it for good."
        case _:
            at = statement.closed_at or statement.period.end
            kept = f"Closed {second(at, statement.period.time_zone)}."
            booked = statement.mode is ChargebackMode.CHARGEBACK
            return kept if booked else f"{kept} Showback: there is no journal."


def bearer_rows(statement: Statement) -> list[BearerRow]:
    """The statement's rows, the tree first; nobody's only if there is something."""
    return [
        _bearer(row)
        for row in statement.rows
        if row.kind not in (RowKind.UNALLOCATED, RowKind.PREPAID) or row.cost.amount
    ]


def part_row(line: StatementLine) -> PartRow:
    """A part of a line as the table shows it."""
    span = period(line.period.start, line.period.end, line.period.time_zone)
    about = [line.invoice or ("Moved" if line.adjustment else "Draft"), span]
    if line.adjustment:
        about.append("adjustment")
    return PartRow(
        name=line.name,
        detail=" · ".join(about),
        bearer=" / ".join(line.path) or "—",
        quantity="" if line.quantity is None else count(_short(line.quantity)),
        cost=money(line.cost.amount, line.cost.currency),
        charged=money(line.charged.amount, line.charged.currency),
    )


def _bearer(row: StatementRow) -> BearerRow:
    budget = ""
    over = False
    if row.budget is not None and row.used is not None:
        percent = (row.used.amount / row.budget.amount * 100).quantize(Decimal(1), ROUND_HALF_UP)
        budget = f"{percent}% of {money(row.budget.amount, row.budget.currency)}"
        over = row.used.amount > row.budget.amount
    adjusted = row.adjustments.amount
    return BearerRow(
        code=row.code or "",
        path="/".join(row.path) or row.kind.value,
        name=row.name,
        indent=f"{max(len(row.path) - 1, 0) * 20}px",
        strong=row.kind is RowKind.DEPARTMENT,
        warns=row.kind is RowKind.UNALLOCATED,
        cost=money(row.cost.amount, row.cost.currency),
        adjustments=money(adjusted, row.adjustments.currency) if adjusted else "",
        charged=money(row.charged.amount, row.charged.currency),
        budget=budget,
        over=over,
        opens=row.code or NOBODY,
    )


def _short(quantity: Decimal) -> Decimal:
    """A quantity to three decimals: parts of fees have endless ones."""
    return quantity.quantize(Decimal("0.001"), ROUND_HALF_UP)
