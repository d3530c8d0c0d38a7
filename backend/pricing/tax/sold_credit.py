"""Tax on credit as it is sold: what of a payment is the credit, and what the tax. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction

from backend.pricing.money import minor_digits, round_fraction
from backend.pricing.tax.lines import TaxedAmount, TaxRate, add_tax


def tax_within_payment(paid: Decimal, rates: Sequence[TaxRate], currency: str) -> TaxedAmount:
    """Divide a payment in minor units into the credit that it buys and the taxes on top of it.

    ``net`` and ``gross`` are as ``add_tax`` has them; the credit is ``gross`` less the taxes that
    are not inclusive: calls are priced with the inclusive ones. Where no credit comes to the
    payment with its tax, since taxes round, the last tax on top has the minor unit that is left.
    """
    on_top = sum((Fraction(rate.percent) for rate in rates if not rate.inclusive), Fraction(0))
    within = sum((Fraction(rate.percent) for rate in rates if rate.inclusive), Fraction(0))
    bare = Fraction(paid) / (1 + (on_top + within) / 100)
    credit = round_fraction(bare * (1 + within / 100), currency)
    unit = Decimal(1).scaleb(-minor_digits(currency))
    taxed = add_tax(credit, rates, currency)
    for nearby in (credit, credit - unit, credit + unit):
        taxed = add_tax(nearby, rates, currency)
        if taxed.gross == paid:
            return taxed
    taxed = add_tax(credit, rates, currency)
    lines = list(taxed.taxes)
    place = max(index for index, line in enumerate(lines) if not line.rate.inclusive)
    last = lines[place]
    lines[place] = type(last)(last.rate, last.taxable, last.amount + paid - taxed.gross)
    return TaxedAmount(taxed.net, tuple(lines), paid)
