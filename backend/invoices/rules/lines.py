"""From rated periods to the lines of an invoice. Pure.

One law governs them: whatever was invoiced of a period before, and however late usage came, the
lines of all invoices about the period add up to what rating makes of all its usage.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from backend.pricing.money import ZERO, exact_arithmetic
from backend.pricing.rating.adjustments import Adjustment
from backend.pricing.rating.rated_period import RatedLine, RatedPeriod
from backend.spend.report import spend_line
from backend_client.types.invoices import AFTER_TAX
from backend_client.types.spend import Period, SpendLine

CHARGE = "charge"
INVOICED_BEFORE = "invoiced_before"
ITEM = "item"
PREPAID = "prepaid"
REDEEMED = "redeemed"
REDEEMED_BEFORE = "redeemed_before"

FROM_CREDIT = AFTER_TAX | {PREPAID}
"""Kinds of lines of what the wallet paid as calls were made."""


_OF_NO_RATING = (INVOICED_BEFORE, REDEEMED_BEFORE, ITEM)
"""Kinds of lines of a period's invoice that rating the period again does not bring."""


class Item(NamedTuple):
    """The subject of a line, the same each time its period is rated."""

    kind: str
    plan: str | None
    plan_version: int | None
    item: str


class InvoicedInPart(NamedTuple):
    """A progressive invoice: what its lines come to, and what of it was taken off after tax."""

    number: str
    subtotal: Decimal
    redeemed: Decimal = ZERO


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
    tax_code: str | None = None


def lines_of(rated: RatedPeriod, period: Period) -> list[ComposedLine]:
    """Return the lines of a rated period, charges first, none left out."""
    charges = [_charge_line(line, period, rated.currency) for line in rated.lines]
    return [*charges, *(_adjustment_line(adjustment, period) for adjustment in rated.adjustments)]


def less_invoiced_before(period: Period, invoices: Iterable[InvoicedInPart]) -> list[ComposedLine]:
    """Return lines for each earlier invoice of the period, taking it off.

    What credit paid of it after tax is put back by a line of its own, so that all that was taxed
    then is taken off what is taxed now.
    """
    lines = []
    for number, subtotal, redeemed in invoices:
        before = ((INVOICED_BEFORE, "Invoiced", redeemed - subtotal),)
        put_back = ((REDEEMED_BEFORE, "Paid from credit", -redeemed),)
        lines += [
            ComposedLine(
                Item(kind, None, None, number), f"{what} before: {number}", period, amount, amount
            )
            for kind, what, amount in before + put_back
            if amount
        ]
    return lines


def paid_when_used(
    period: Period, amount: Decimal, *, redeemed: Decimal = ZERO
) -> list[ComposedLine]:
    """Return lines that take off what the wallet paid for prepaid calls when they were made.

    Tax falls on what was ``redeemed``: credit whose sale was not taxed. The rest is taken off
    before tax.
    """
    return [
        ComposedLine(
            Item(kind, None, None, "wallet"),
            "Paid from credit as it was used",
            period,
            -part,
            -part,
        )
        for kind, part in ((PREPAID, amount - redeemed), (REDEEMED, redeemed))
        if part
    ]


def asked_again(period: Period, amount: Decimal) -> list[ComposedLine]:
    """Return a line that asks for credit of a plan that paid an invoice and was not due after all.

    It stands after tax, as what credit pays of an invoice does: that invoice carried the tax.
    """
    of = Item(REDEEMED, None, None, "beyond share")
    name = "Plan credit that paid an invoice, beyond its share"
    return [ComposedLine(of, name, period, amount, amount)] if amount else []


def late_lines(
    now: Iterable[ComposedLine], invoiced: Mapping[Item, Invoiced]
) -> list[ComposedLine]:
    """Return what a period's lines ask for ``now``, less what was ``invoiced``, item by item.

    An unchanged item has no line. The amounts add up exactly to the total of the lines now less all
    that was invoiced.
    """
    by_item = _merged(now)
    late: list[ComposedLine] = []
    with exact_arithmetic():
        for item, line in by_item.items():
            before = invoiced.get(item) or Invoiced(line.name, line.period, None, ZERO, ZERO)
            quantity = line.quantity
            if quantity is not None and before.quantity is not None:
                quantity -= before.quantity
            difference = replace(
                line,
                exact=line.exact - before.exact,
                amount=line.amount - before.amount,
                quantity=quantity,
                late=True,
                before=before.amount,
            )
            if difference.amount or (item.kind == CHARGE and quantity):
                late.append(difference)
        for item, before in invoiced.items():
            if item not in by_item and before.amount:
                late.append(_reversed(item, before))
    return late


def invoiced_items(lines: Iterable[ComposedLine]) -> dict[Item, Invoiced]:
    """Sum what lines of one period asked for, by item."""
    with exact_arithmetic():
        return {
            item: Invoiced(line.name, line.period, line.quantity, line.exact, line.amount)
            for item, line in _merged(
                line for line in lines if line.of.kind not in _OF_NO_RATING
            ).items()
        }


def total_of(lines: Iterable[ComposedLine]) -> Decimal:
    """Sum the rounded amounts: the subtotal of an invoice with these lines."""
    with exact_arithmetic():
        return sum((line.amount for line in lines), ZERO)


def taxable_of(lines: Iterable[ComposedLine]) -> Decimal:
    """Sum the rounded amounts that tax falls on: all but what is taken off after it."""
    return total_of(line for line in lines if line.of.kind not in AFTER_TAX)


def may_be_taxed_only(lines: Iterable[ComposedLine]) -> bool:
    """Return whether tax may be all that an invoice asks for: credit has paid the rest."""
    return any(line.of.kind == REDEEMED for line in lines)


def worth_invoicing(lines: Sequence[ComposedLine]) -> bool:
    """Return whether an invoice asks for anything, or returns it; else it takes no number.

    What cancels out within one period, as on a trial or where credit paid each call, asks for
    nothing. Amounts of two periods that cancel out are invoiced: each period's lines are what was
    invoiced of it.
    """
    by_period: defaultdict[datetime, Decimal] = defaultdict(Decimal)
    for line in lines:
        if line.of.kind in _OF_NO_RATING:
            return True
        by_period[line.period.start] += line.amount
    return any(by_period.values())


def _charge_line(line: RatedLine, period: Period, currency: str) -> ComposedLine:
    return ComposedLine(
        Item(CHARGE, line.plan, line.plan_version, line.charge.id),
        line.charge.name,
        period,
        line.exact,
        line.amount,
        line.quantity,
        spend_line(line, currency),
    )


def _adjustment_line(adjustment: Adjustment, period: Period) -> ComposedLine:
    return ComposedLine(
        Item(adjustment.kind, adjustment.plan, adjustment.plan_version, adjustment.id),
        adjustment.name,
        period,
        adjustment.exact,
        adjustment.amount,
    )


def _merged(lines: Iterable[ComposedLine]) -> dict[Item, ComposedLine]:
    """Merge the lines of the same item, such as a charge on trial and after it."""
    by_item: dict[Item, ComposedLine] = {}
    for line in lines:
        held = by_item.get(line.of)
        if held is not None:
            quantities = [
                quantity for quantity in (held.quantity, line.quantity) if quantity is not None
            ]
            line = replace(
                line,
                exact=held.exact + line.exact,
                amount=held.amount + line.amount,
                quantity=sum(quantities, ZERO) if quantities else None,
                charge=None,
            )
        by_item[line.of] = line
    return by_item


def _reversed(item: Item, before: Invoiced) -> ComposedLine:
    """Take back what was invoiced for an item that the period no longer has."""
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
