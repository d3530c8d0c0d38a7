"""Tax on top of a bill and within it: parts add up to the minor unit."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.pricing.tax import TaxRate, add_tax

pytestmark = pytest.mark.fast


def rates(*percents: str, inclusive: bool = False) -> list[TaxRate]:
    return [TaxRate(text, f"Tax {text}", Decimal(text), inclusive) for text in percents]


@pytest.mark.parametrize(
    ("amount", "percents", "inclusive", "net", "taxes", "gross"),
    [
        ("100.00", ["19"], False, "100.00", ["19.00"], "119.00"),
        ("119.00", ["19"], True, "100.00", ["19.00"], "119.00"),
        ("9.99", ["19"], True, "8.39", ["1.60"], "9.99"),  # 1.595042 of tax
        ("10.00", ["5", "9.975"], False, "10.00", ["0.50", "1.00"], "11.50"),
        ("0.30", ["8.25"], False, "0.30", ["0.02"], "0.32"),
        ("2.00", ["0.25"], False, "2.00", ["0.01"], "2.01"),  # half a cent goes up
        ("-2.00", ["0.25"], False, "-2.00", ["-0.01"], "-2.01"),
        ("10.00", [], False, "10.00", [], "10.00"),
    ],
)
def test_taxes_by_hand(
    amount: str, percents: list[str], inclusive: bool, net: str, taxes: list[str], gross: str
) -> None:
    taxed = add_tax(Decimal(amount), rates(*percents, inclusive=inclusive), "USD")
    assert (str(taxed.net), [str(line.amount) for line in taxed.taxes]) == (net, taxes)
    assert str(taxed.gross) == gross


def test_minor_units_are_the_currencys() -> None:
    assert str(add_tax(Decimal(999), rates("10"), "JPY").gross) == "1099"
    with pytest.raises(ValueError, match="minor units of JPY"):
        add_tax(Decimal("9.99"), rates("10"), "JPY")


def test_mixed_rates_are_refused() -> None:
    with pytest.raises(ValueError, match="mixed"):
        add_tax(Decimal(1), [*rates("1"), *rates("2", inclusive=True)], "USD")


@given(
    st.decimals(-10_000, 10_000, places=2),
    st.lists(st.decimals(0, 30, places=3), max_size=3),
    st.booleans(),
)
def test_net_and_taxes_are_the_gross(
    amount: Decimal, percents: list[Decimal], inclusive: bool
) -> None:
    taxed = add_tax(amount, rates(*map(str, percents), inclusive=inclusive), "USD")
    assert taxed.net + sum(line.amount for line in taxed.taxes) == taxed.gross
    assert (taxed.gross if inclusive and percents else taxed.net) == amount
    for line in taxed.taxes:
        off = abs(line.amount - taxed.net * line.rate.percent / 100)
        # Within rounding: half a cent, and for inclusive tax what the net's own rounding adds
        assert off <= (Decimal("0.005") if not inclusive else Decimal("0.011"))
