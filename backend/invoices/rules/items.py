"""Which of the lines that wait an invoice takes, and how much of each credit. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from backend.invoices.rules.lines import ITEM, ComposedLine, Item
from backend.pricing.money import ZERO, exact_arithmetic
from backend_client.types.spend import Period


def item_lines(
    pending: Sequence[Mapping[str, Any]], subtotal: Decimal, period: Period
) -> list[ComposedLine]:
    """Return the lines of an invoice that asks for ``subtotal`` without them.

    What is to be paid is taken whole, and before it what is to be credited: that takes off no more
    than there is to ask for, the oldest first, and the rest waits. ``pending`` has rows of
    ``invoice_items``.
    """
    with exact_arithmetic():
        charges = [_line(row, row["left"], period) for row in pending if row["left"] > 0]
        room = max(subtotal + sum((line.amount for line in charges), ZERO), ZERO)
        credits_taken = []
        for row in pending:
            part = min(-row["left"], room)
            if part > 0:
                credits_taken.append(_line(row, -part, period))
                room -= part
        return [*charges, *credits_taken]


def _line(row: Mapping[str, Any], amount: Decimal, period: Period) -> ComposedLine:
    if row["period_start"] is not None:
        period = Period(
            start=row["period_start"], end=row["period_end"], time_zone=period.time_zone
        )
    whole = amount == row["amount"]
    return ComposedLine(
        Item(ITEM, None, None, row["id"]),
        row["name"],
        period,
        row["exact"] if whole else amount,
        amount,
        row["quantity"] if whole else None,
        tax_code=row["tax_code"],
    )
