"""Exact arithmetic on money, and the one place that rounds it."""

from __future__ import annotations

import decimal
import math
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal
from fractions import Fraction
from functools import cache
from typing import Final

from backend_client.types.common import Money

# fmt: off
MINOR_DIGITS: Final = {
    "BIF": 0, "CLP": 0, "DJF": 0, "GNF": 0, "ISK": 0, "JPY": 0, "KMF": 0, "KRW": 0, "PYG": 0,
    "RWF": 0, "UGX": 0, "UYI": 0, "VND": 0, "VUV": 0, "XAF": 0, "XOF": 0, "XPF": 0,
    "BHD": 3, "IQD": 3, "JOD": 3, "KWD": 3, "LYD": 3, "OMR": 3, "TND": 3,
    "CLF": 4, "UYW": 4,
}
# fmt: on
"""ISO 4217's minor units, where they are not hundredths."""

ZERO: Final = Decimal(0)

EXACT: Final = decimal.Context(
    prec=120,
    traps=[
        decimal.Inexact,
        decimal.InvalidOperation,
        decimal.DivisionByZero,
        decimal.Overflow,
        decimal.FloatOperation,
    ],
)
"""Arithmetic that raises rather than lose a digit. Python's own default rounds at 28 digits,
which a large quantity times a small price can pass."""

_ROUNDING: Final = decimal.Context(prec=120, traps=[decimal.InvalidOperation])

FRACTION_DIGITS: Final = 24
"""Decimals kept of a prorated amount, which may have endlessly many. With at most 12 decimals in a
price and under 2**22 seconds in a period, an amount that is not exactly half a cent is further from
it than ``10**-19``; with two years of a fee in one sum, whose quarter hours have a common multiple
under 2**31, than ``10**-22``. So cutting at 24 never changes what the line rounds to."""


@contextmanager
def exact_arithmetic() -> Iterator[None]:
    """Run a block in ``EXACT``: an operation that would lose a digit raises ``decimal.Inexact``."""
    with decimal.localcontext(EXACT):
        yield


def minor_digits(currency: str) -> int:
    """Return how many decimals ISO 4217 gives the currency: 2 for USD, 0 for JPY, 3 for KWD."""
    return MINOR_DIGITS.get(currency, 2)


@cache
def _minor_unit(currency: str) -> Decimal:
    return Decimal(1).scaleb(-minor_digits(currency), _ROUNDING)


def round_to_minor_unit(amount: Decimal, currency: str) -> Decimal:
    """Round to the currency's minor unit, half up: a tie goes away from zero."""
    return amount.quantize(_minor_unit(currency), rounding=ROUND_HALF_UP, context=_ROUNDING)


def whole_minor_units(amount: Decimal, currency: str) -> Decimal:
    """Round an amount that is not negative down to the minor unit: the part that can be paid."""
    return amount.quantize(_minor_unit(currency), rounding=ROUND_DOWN, context=_ROUNDING)


def prorate(amount: Decimal, share: Fraction) -> Decimal:
    """Return ``amount * share``, exactly if it ends within 24 decimals, else to 24 decimals."""
    product = Fraction(amount) * share
    quotient = _ROUNDING.divide(Decimal(product.numerator), Decimal(product.denominator))
    kept = quotient.quantize(
        Decimal(1).scaleb(-FRACTION_DIGITS), rounding=ROUND_HALF_EVEN, context=_ROUNDING
    )
    return kept.normalize(_ROUNDING)


def round_fraction(amount: Fraction, currency: str) -> Decimal:
    """Round a fraction to the currency's minor unit, half up: a tie goes away from zero."""
    scale = 10 ** minor_digits(currency)
    whole = (abs(amount) * scale * 2 + 1) // 2
    return Decimal(-whole if amount < 0 else whole).scaleb(-minor_digits(currency), _ROUNDING)


def decimals_of(number: Decimal) -> int:
    """Return how many decimals a number is written with."""
    exponent = number.as_tuple().exponent
    return max(-exponent, 0) if isinstance(exponent, int) else 0


def rounded_down(number: Fraction, decimals: int) -> Decimal:
    """Return a fraction that is not negative with so many decimals, without what is beyond them."""
    return Decimal(math.floor(number * 10**decimals)).scaleb(-decimals, _ROUNDING)


def money(amount: Decimal, currency: str) -> Money:
    """Return an amount with all the decimals of its currency, however many it was given with."""
    # Adding zero turns a decimal's -0 into 0
    return Money(amount=round_to_minor_unit(amount, currency) + ZERO, currency=currency)
