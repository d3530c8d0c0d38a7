"""Parts add up to the whole, to the last minor unit."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.chargeback.rules.splitting import split_amount, split_quantity
from backend.pricing.money import EXACT, exact_arithmetic, minor_digits
from tests.chargeback.divided import weights

pytestmark = pytest.mark.fast

AMOUNTS = st.integers(-(10**12), 10**12)
WEIGHTS = st.dictionaries(
    st.tuples(st.text("abc", min_size=1, max_size=3)),
    st.fractions(0, 10**6, max_denominator=10**6),
    min_size=1,
    max_size=12,
).filter(lambda given: any(given.values()))


def test_a_third_each() -> None:
    parts = split_amount(Decimal("100.00"), weights(a=1, b=1, c=1), "USD")
    assert [str(part) for part in parts.values()] == ["33.34", "33.33", "33.33"]
    back = split_amount(Decimal("-100.00"), weights(a=1, b=1, c=1), "USD")
    assert [str(part) for part in back.values()] == ["-33.34", "-33.33", "-33.33"]


def test_the_largest_remainder_gets_what_is_left() -> None:
    assert split_amount(Decimal("0.05"), weights(a=1, b=8, c=1), "USD") == {
        ("a",): Decimal("0.01"),
        ("b",): Decimal("0.04"),
    }
    assert split_amount(Decimal(7), weights(a=1, b=1), "JPY") == {("a",): 4, ("b",): 3}
    assert split_amount(Decimal("0.001"), weights(a=1, b=1), "KWD") == {("a",): Decimal("0.001")}


def test_what_has_no_weight_gets_nothing() -> None:
    assert split_amount(Decimal(1), weights(a=0, b=2), "USD") == {("b",): 1}
    for none in ({}, weights(a=0), {("a",): Fraction(-1), ("b",): Fraction(2)}):
        with pytest.raises(ValueError, match="above zero"):
            split_amount(Decimal(1), none, "USD")


@given(units=AMOUNTS, currency=st.sampled_from(["USD", "JPY", "KWD", "CLF"]), given_weights=WEIGHTS)
def test_the_parts_add_up_and_none_is_a_unit_off(
    units: int, currency: str, given_weights: dict[tuple[str, ...], Fraction]
) -> None:
    digits = minor_digits(currency)
    amount = Decimal(units).scaleb(-digits)
    with exact_arithmetic():
        parts = split_amount(amount, given_weights, currency)
        assert sum(parts.values(), Decimal(0)) == amount
    whole = sum(given_weights.values())
    for key, weight in given_weights.items():
        exact = Fraction(amount) * weight / whole
        part = Fraction(parts.get(key, Decimal(0)))
        assert abs(part - exact) < Fraction(1, 10**digits)


@given(quantity=st.decimals(-(10**15), 10**15, places=9), given_weights=WEIGHTS)
def test_quantities_add_up_too(
    quantity: Decimal, given_weights: dict[tuple[str, ...], Fraction]
) -> None:
    with exact_arithmetic():
        parts = split_quantity(EXACT.create_decimal(quantity), given_weights)
        assert sum(parts.values(), Decimal(0)) == quantity
