"""From rated periods to the lines of an invoice. Pure.

One law rules here: whatever was invoiced before of a period, and however late usage came, the
lines of all invoices about the period add up to what rating makes of all its usage.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import NamedTuple

from backend.pricing.money import exact_arithmetic
from backend_client.types.spend import Period, SpendAdjustment, SpendLine, SpendReport

_ZERO = Decimal(0)

CHARGE = "charge"
INVOICED_BEFORE = "invoiced_before"
PREPAID = "prepaid"


class Item(NamedTuple):
    """What a line is of: it stays the same when its period is rated again."""

    kind: str
    plan: str | None
    plan_version: int | None
    item: str


class Invoiced(NamedTuple):
    """What invoices asked for an item of a period so far."""

    name: str
    period: Period
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


def paid_when_used(period: Period, amount: Decimal) -> list[ComposedLine]:
    """Return a line that takes off what prepaid calls paid from the wallet as they were made."""
    if not amount:
        return []
    of = Item(PREPAID, None, None, "wallet")
    return [ComposedLine(of, "Paid from credit as it was used", period, -amount, -amount)]


def late_lines(
    now: Iterable[ComposedLine], invoiced: Mapping[Item, Invoiced]
) -> list[ComposedLine]:
    """Return what a period's lines ask for ``now`` more or less than ``invoiced``, item by item.

    An item that is as it was has no line. The amounts add up to the total of the lines now less
    all that was invoiced, exactly.
    """
    found = _merged(now)
    late: list[ComposedLine] = []
    with exact_arithmetic():
        for item, line in found.items():
            before = invoiced.get(item) or Invoiced(line.name, line.period, None, _ZERO, _ZERO)
            quantity = line.quantity
            if quantity is not None and before.quantity is not None:
                quantity -= before.quantity
            made = replace(
                line,
                exact=line.exact - before.exact,
                amount=line.amount - before.amount,
                quantity=quantity,
                late=True,
                before=before.amount,
            )
            if made.amount or (item.kind == CHARGE and quantity):
                late.append(made)
        for item, before in invoiced.items():
            if item not in found and before.amount:
                late.append(_gone(item, before))
    return late


def invoiced_items(lines: Iterable[ComposedLine]) -> dict[Item, Invoiced]:
    """Sum what lines of one period asked for, by what they are of."""
    with exact_arithmetic():
        return {
            item: Invoiced(line.name, line.period, line.quantity, line.exact, line.amount)
            for item, line in _merged(
                line for line in lines if line.of.kind != INVOICED_BEFORE
            ).items()
        }


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


def _merged(lines: Iterable[ComposedLine]) -> dict[Item, ComposedLine]:
    """Make one line of those of the same item, such as a charge on trial and after it."""
    found: dict[Item, ComposedLine] = {}
    for line in lines:
        held = found.get(line.of)
        if held is not None:
            quantities = [one for one in (held.quantity, line.quantity) if one is not None]
            line = replace(
                line,
                exact=held.exact + line.exact,
                amount=held.amount + line.amount,
                quantity=sum(quantities, _ZERO) if quantities else None,
                charge=None,
            )
        found[line.of] = line
    return found


def _gone(item: Item, before: Invoiced) -> ComposedLine:
    """Give back what was invoiced for an item that the period no longer has."""
    return ComposedLine(
        item,
        before.name,
        before.period,
        -before.exact,
        -before.amount,
        None if before.quantity is None else -before.quantity,
        late=True,
        before=before.amount,
    )
