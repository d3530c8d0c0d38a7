"""What of a payment is credit, and what is tax."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.pricing.money import round_to_minor_unit
from backend.pricing.tax.lines import TaxRate
from backend.pricing.tax.sold_credit import tax_within_payment

pytestmark = pytest.mark.fast

PERCENTS = st.decimals("0.01", "40", places=3)
RATES = st.lists(st.builds(TaxRate, st.just("r"), st.just("VAT"), PERCENTS, st.booleans()))


@given(st.decimals("0.01", "99999.99", places=2), RATES, st.sampled_from(("USD", "JPY", "KWD")))
def test_credit_and_the_taxes_on_top_come_to_what_was_paid(
    paid: Decimal, rates: list[TaxRate], currency: str
) -> None:
    paid = max(round_to_minor_unit(paid, currency), Decimal(1))
    taxed = tax_within_payment(paid, rates[:4], currency)
    assert taxed.gross == paid
    assert taxed.net + sum(line.amount for line in taxed.taxes) == paid
    unit = {"USD": Decimal("0.01"), "JPY": Decimal(1), "KWD": Decimal("0.001")}[currency]
    for line in taxed.taxes:
        exact = taxed.net * line.rate.percent / 100
        assert abs(line.amount - exact) <= 4 * unit


def test_a_tax_on_top_is_taken_from_the_payment_and_one_within_is_part_of_the_credit() -> None:
    on_top = tax_within_payment(Decimal("10.00"), [TaxRate("d", "VAT", Decimal(19))], "EUR")
    assert (on_top.net, on_top.taxes[0].amount) == (Decimal("8.40"), Decimal("1.60"))
    rate = TaxRate("f", "VAT", Decimal(20), inclusive=True)
    within = tax_within_payment(Decimal("10.00"), [rate], "EUR")
    assert (within.net, within.taxes[0].amount) == (Decimal("8.33"), Decimal("1.67"))
