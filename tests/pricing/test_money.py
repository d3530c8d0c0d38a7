"""Rounding happens in one place, half up; arithmetic before it loses nothing."""

from __future__ import annotations

import decimal
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.pricing.money import exact_arithmetic, minor_digits, prorate, round_to_minor_unit

pytestmark = pytest.mark.fast


@pytest.mark.parametrize(
    ("amount", "currency", "rounded"),
    [
        ("0.005", "USD", "0.01"),
        ("0.00499999999999999999999999999999999999", "USD", "0.00"),
        ("2.675", "USD", "2.68"),
        ("-0.005", "USD", "-0.01"),
        ("0.5", "JPY", "1"),
        ("1.0005", "KWD", "1.001"),
        ("12345678901234567890123456789.995", "EUR", "12345678901234567890123456790.00"),
    ],
)
def test_rounds_half_up_to_the_minor_unit(amount: str, currency: str, rounded: str) -> None:
    assert str(round_to_minor_unit(Decimal(amount), currency)) == rounded


def test_currencies_have_their_own_minor_units() -> None:
    assert [minor_digits(code) for code in ("USD", "JPY", "KWD", "CLF")] == [2, 0, 3, 4]


def test_exact_arithmetic_raises_rather_than_lose_a_digit() -> None:
    with exact_arithmetic(), pytest.raises(decimal.Inexact):
        Decimal(1) / Decimal(3)
    with exact_arithmetic():
        product = Decimal("9" * 30) * Decimal("0.123456789012")
    assert len(product.as_tuple().digits) > 28


prices = st.decimals(0, 10**12, places=12)
seconds = st.integers(0, 31 * 86_400)


@given(prices, seconds, st.integers(28 * 86_400, 31 * 86_400))
def test_a_prorated_amount_rounds_as_the_true_fraction_does(
    price: Decimal, part: int, whole: int
) -> None:
    share = Fraction(min(part, whole), whole)
    true_cents = Fraction(price) * share * 100
    half_up = int(true_cents + Fraction(1, 2))
    assert round_to_minor_unit(prorate(price, share), "USD") == Decimal(half_up) / 100


@given(prices)
def test_the_whole_period_costs_the_whole_price(price: Decimal) -> None:
    assert prorate(price, Fraction(1)) == price
