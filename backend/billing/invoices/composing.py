"""From rated periods to the lines of an invoice. Pure.

One law rules here: whatever was invoiced before of a period, and however late usage came, the
lines of all invoices about the period add up to what rating makes of all its usage.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from backend.pricing.money import exact_arithmetic
from backend_client.types.spend import Period, SpendAdjustment, SpendLine, SpendReport

_ZERO = Decimal(0)

CHARGE = "charge"
INVOICED_BEFORE = "invoiced_before"


class Item(NamedTuple):
    """What a line is of: it stays the same when its period is rated again."""

    kind: str
    plan: str | None
    plan_version: int | None
    item: str


class Invoiced(NamedTuple):
    """What invoices asked for an item so far."""

    name: str
    quantity: Decimal | None
    exact: Decimal
    amount: Decimal


@dataclass(frozen=True, slots=True)
class ComposedLine:
    """A line before it has a number. See ``backend_client.types.invoices.InvoiceLine``."""

    of: Item
    name: str
    period: Period
    exact: Decimal
    amount: Decimal
    quantity: Decimal | None = None
    charge: SpendLine | None = None
    late: bool = False
    before: Decimal | None = None


def lines_of(report: SpendReport) -> list[ComposedLine]:
    """Return the lines of a rated period, charges first, none left out."""
    charges = [_charge_line(line, report.period) for line in report.lines]
    return [*charges, *(_adjustment_line(one, report.period) for one in report.adjustments)]


def less_invoiced_before(
    period: Period, invoices: Iterable[tuple[str, Decimal]]
) -> list[ComposedLine]:
    """Return a line for each earlier invoice (number, subtotal) of the period, taking it off."""
    return [
        ComposedLine(
            Item(INVOICED_BEFORE, None, None, number),
            f"Invoiced before: {number}",
            period,
            -subtotal,
            -subtotal,
        )
        for number, subtotal in invoices
        if subtotal
    ]


def late_lines(report: SpendReport, invoiced: Mapping[Item, Invoiced]) -> list[ComposedLine]:
    """Return what a period costs now more or less than ``invoiced``, item by item.

    An item that is as it was has no line. The amounts add up to the report's total less all that
    was invoiced, exactly.
    """
    now = lines_of(report)
    late: list[ComposedLine] = []
    with exact_arithmetic():
        for line in now:
            before = invoiced.get(line.of)
            if before is None:
                late.append(_late(line, line.quantity, line.exact, line.amount, _ZERO))
                continue
            quantity = None
            if line.quantity is not None:
                quantity = line.quantity - (before.quantity or _ZERO)
            exact, amount = line.exact - before.exact, line.amount - before.amount
            if amount or quantity:
                late.append(_late(line, quantity, exact, amount, before.amount))
        still = {line.of for line in now}
        late += [
            ComposedLine(
                item,
                before.name,
                report.period,
                -before.exact,
                -before.amount,
                None if before.quantity is None else -before.quantity,
                late=True,
                before=before.amount,
            )
            for item, before in invoiced.items()
            if item not in still and (before.amount or before.quantity)
        ]
    return late


def invoiced_items(
    lines: Iterable[tuple[Item, str, Decimal | None, Decimal, Decimal]],
) -> dict[Item, Invoiced]:
    """Sum lines (item, name, quantity, exact, amount) of one period by what they are of."""
    found: dict[Item, Invoiced] = {}
    with exact_arithmetic():
        for item, name, quantity, exact, amount in lines:
            if item.kind == INVOICED_BEFORE:
                continue
            held = found.get(item, Invoiced(name, None, _ZERO, _ZERO))
            if quantity is not None:
                quantity += held.quantity or _ZERO
            else:
                quantity = held.quantity
            found[item] = Invoiced(name, quantity, held.exact + exact, held.amount + amount)
    return found


def total_of(lines: Iterable[ComposedLine]) -> Decimal:
    """Sum the rounded amounts: the subtotal of an invoice with these lines."""
    with exact_arithmetic():
        return sum((line.amount for line in lines), _ZERO)


def worth_invoicing(lines: Sequence[ComposedLine]) -> bool:
    """Tell whether there is anything to ask for or to give back; a page of zeroes is not sent."""
    return any(line.amount for line in lines)


def _charge_line(line: SpendLine, period: Period) -> ComposedLine:
    return ComposedLine(
        Item(CHARGE, line.plan, line.plan_version, line.charge_id),
        line.name,
        period,
        line.exact,
        line.amount.amount,
        line.quantity,
        line,
    )


def _adjustment_line(one: SpendAdjustment, period: Period) -> ComposedLine:
    return ComposedLine(
        Item(one.kind, one.plan, one.plan_version, one.id),
        one.name,
        period,
        one.exact,
        one.amount.amount,
    )


def _late(
    line: ComposedLine,
    quantity: Decimal | None,
    exact: Decimal,
    amount: Decimal,
    before: Decimal,
) -> ComposedLine:
    return ComposedLine(
        line.of,
        line.name,
        line.period,
        exact,
        amount,
        quantity,
        line.charge,
        late=True,
        before=before,
    )
