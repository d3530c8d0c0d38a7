"""Tax on top of a bill and within it: parts add up to the minor unit."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.pricing.money import minor_digits
from backend.pricing.tax.lines import TaxLine, TaxRate, add_tax, tax_of_part

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


def test_tax_within_and_on_top_by_hand() -> None:
    """Prices hold 10%; of the 100.00 that are left, 5% come on top."""
    both = [*rates("10", inclusive=True), *rates("5")]
    taxed = add_tax(Decimal("110.00"), both, "USD")
    assert [str(line.amount) for line in taxed.taxes] == ["10.00", "5.00"]
    assert [str(line.taxable) for line in taxed.taxes] == ["100.00", "100.00"]
    assert (str(taxed.net), str(taxed.gross)) == ("100.00", "115.00")
    turned = add_tax(Decimal("110.00"), both[::-1], "USD")
    assert (turned.net, turned.gross, turned.taxes) == (taxed.net, taxed.gross, taxed.taxes[::-1])


any_rates = st.lists(
    st.builds(
        TaxRate,
        st.just("tax"),
        st.just("Tax"),
        st.decimals(0, 100, places=3),
        st.booleans(),
    ),
    max_size=5,
)
currencies = st.sampled_from(["USD", "JPY", "KWD"])


def some_amounts(currency: str, least: int, most: int) -> st.SearchStrategy[Decimal]:
    return st.decimals(least, most, places=minor_digits(currency))


@given(st.data(), any_rates, currencies)
def test_net_and_taxes_are_the_gross(
    data: st.DataObject, chosen: list[TaxRate], currency: str
) -> None:
    amount = data.draw(some_amounts(currency, -10_000, 10_000))
    taxed = add_tax(amount, chosen, currency)
    within = sum(line.amount for line in taxed.taxes if line.rate.inclusive)
    on_top = sum(line.amount for line in taxed.taxes if not line.rate.inclusive)
    assert taxed.net + within == amount
    assert taxed.net + within + on_top == taxed.gross
    unit = Decimal(1).scaleb(-minor_digits(currency))
    inclusive = sum(rate.inclusive for rate in chosen)
    for line, rate in zip(taxed.taxes, chosen, strict=True):
        assert (line.rate, line.taxable) == (rate, taxed.net)
        assert line.amount % unit == 0
        assert line.amount * amount >= 0
        off = abs(line.amount - taxed.net * rate.percent / 100)
        # Half a unit; for tax within prices also what the rounded net is off the exact one
        assert off <= unit / 2 * (1 + (inclusive if rate.inclusive else 0))


@given(st.data(), any_rates, currencies, st.integers(1, 6))
def test_taxes_of_parts_add_up_to_the_whole(
    data: st.DataObject, chosen: list[TaxRate], currency: str, count: int
) -> None:
    """As credit notes do: each has the tax of the sum so far, less what those before had."""
    parts = [data.draw(some_amounts(currency, 0, 500)) for _ in range(count)]
    whole = sum(parts, Decimal(0))
    taxed = add_tax(whole, chosen, currency)
    before = tax_of_part(taxed.taxes, whole, Decimal(0), currency)
    assert all(line.amount == line.taxable == 0 for line in before)
    credited = Decimal(0)
    for part in parts:
        credited += part
        so_far = tax_of_part(taxed.taxes, whole, credited, currency)
        for line, earlier in zip(so_far, before, strict=True):
            assert line.amount >= earlier.amount  # no note ever asks for tax
        within = sum(line.amount for line in so_far if line.rate.inclusive)
        assert all(line.taxable == credited - within for line in so_far)
        before = so_far
    assert before == taxed.taxes


def test_a_tax_on_some_lines_alone_is_divided_by_the_share_of_all() -> None:
    """A service may tax 60.00 of 90.00 only."""
    tax = TaxLine(rates("10")[0], Decimal("60.00"), Decimal("6.00"))
    [half] = tax_of_part([tax], Decimal("90.00"), Decimal("45.01"), "USD")
    assert (str(half.taxable), str(half.amount)) == ("30.01", "3.00")
    assert tax_of_part([tax], Decimal("90.00"), Decimal("90.00"), "USD") == (tax,)
