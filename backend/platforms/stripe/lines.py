"""An invoice's lines on Stripe, each with its share of each tax. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from backend.platforms.documents import DocumentLine, InvoiceDocument, TaxOnDocument
from backend.platforms.stripe.amounts import to_minor
from backend.platforms.stripe.forms import Form
from backend.platforms.stripe.times import unix
from backend.pricing.money import ZERO

MOST_LINES: Final = 250
"""Of an invoice on Stripe."""
MOST_TEXT: Final = 500
"""Letters of a description or of metadata."""


def folded(invoice: InvoiceDocument) -> tuple[DocumentLine, ...]:
    """Return an invoice's lines, those past what Stripe takes as one.

    Lines that no tax is on are last, and stay lines of their own.
    """
    after_tax = tuple(line for line in invoice.lines if line.after_tax)
    lines = tuple(line for line in invoice.lines if not line.after_tax)
    most = MOST_LINES - len(after_tax)
    if len(lines) <= most:
        return (*lines, *after_tax)
    rest = lines[most - 1 :]
    last = DocumentLine(
        rest[0].number,
        f"{len(rest)} further lines, as on {invoice.number}",
        sum((line.amount for line in rest), ZERO),
        min((line.start for line in rest if line.start), default=None),
        max((line.end for line in rest if line.end), default=None),
    )
    return (*lines[: most - 1], last, *after_tax)


class LineForm(NamedTuple):
    """A line's number with us, and its parameters."""

    number: int
    form: Form


def line_forms(invoice: InvoiceDocument) -> list[LineForm]:
    """Return the parameters of an invoice's lines, each with its share of each tax."""
    lines = folded(invoice)
    shares = [shares_of(tax, lines, invoice.currency) for tax in invoice.taxes]
    return [
        LineForm(
            line.number,
            {
                "amount": to_minor(line.amount, invoice.currency),
                "description": line.text[:MOST_TEXT],
                "discountable": False,
                "period": None
                if line.start is None or line.end is None
                else {"start": unix(line.start), "end": unix(max(line.end, line.start))},
                "metadata": {"farebox_line": line.number},
                "tax_amounts": [
                    {
                        "amount": of_tax[place][1],
                        "taxable_amount": of_tax[place][0],
                        "tax_rate_data": {
                            "display_name": tax.name[:100],
                            "percentage": tax.percent,
                            "inclusive": tax.inclusive,
                        },
                    }
                    for tax, of_tax in zip(invoice.taxes, shares, strict=True)
                ]
                or None,
            },
        )
        for place, line in enumerate(lines)
    ]


def shares_of(
    tax: TaxOnDocument, lines: Sequence[DocumentLine], currency: str
) -> list[tuple[int, int]]:
    """Return what is taxable and the tax of each line, in minor units: they add up exactly."""
    weights = [0 if line.after_tax else to_minor(line.amount, currency) for line in lines]
    taxable = spread(to_minor(tax.taxable, currency), weights)
    return list(zip(taxable, spread(to_minor(tax.amount, currency), weights), strict=True))


def spread(amount: int, weights: Sequence[int]) -> list[int]:
    """Spread whole units over weights, which may be negative; the parts add up to ``amount``.

    Each part is the difference of two rounded running shares, so that none is off by a whole unit.
    """
    whole = sum(weights)
    if whole == 0:
        return [amount if place == 0 else 0 for place in range(len(weights))]
    parts, running, given = [], 0, 0
    for weight in weights:
        running += weight
        share = (2 * amount * running + whole) // (2 * whole)
        parts.append(share - given)
        given = share
    return parts
