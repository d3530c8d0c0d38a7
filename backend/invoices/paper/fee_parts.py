"""A fee whose number changed within the period, as one printed line for each number. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from backend.pricing.money import (
    ZERO,
    exact_arithmetic,
    minor_digits,
    money,
    round_to_minor_unit,
)
from backend_client.types.invoices import InvoiceLine


def printed_lines(line: InvoiceLine) -> list[InvoiceLine]:
    """Return a line as it is printed: one for each time of a fee, whose factors multiply.

    Together they are the line's amount. A line without such parts, or of late usage, is printed
    as it is.
    """
    charge = line.charge
    if charge is None or line.late or not charge.fee_parts:
        return [line]
    currency = line.amount.currency
    amounts = _rounded([part.exact for part in charge.fee_parts], line.amount.amount, currency)
    lines = []
    for part, amount in zip(charge.fee_parts, amounts, strict=True):
        both = {"quantity": part.quantity, "exact": part.exact, "amount": money(amount, currency)}
        of_part = {
            "start": part.start,
            "end": part.end,
            "billable": part.quantity,
            "fee_parts": [part],
        }
        own = charge.model_copy(update=both | of_part)
        lines.append(line.model_copy(update=both | {"charge": own}))
    return lines


def _rounded(parts: Sequence[Decimal], total: Decimal, currency: str) -> list[Decimal]:
    """Round parts so that they add up to ``total``, each within a minor unit.

    Those that were rounded furthest make up for what their own rounding leaves.
    """
    with exact_arithmetic():
        amounts = [round_to_minor_unit(part, currency) for part in parts]
        missing = total - sum(amounts, ZERO)
        unit = Decimal(1).scaleb(-minor_digits(currency)).copy_sign(missing)
        lost = [(part - amount) / unit for part, amount in zip(parts, amounts, strict=True)]
        furthest = sorted(range(len(parts)), key=lambda index: lost[index], reverse=True)
        for index in furthest[: int(missing / unit)]:
            amounts[index] += unit
    return amounts
