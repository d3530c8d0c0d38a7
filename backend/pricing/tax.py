"""Tax on a bill, on top of its prices or within them. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from backend.pricing.money import exact_arithmetic, round_fraction, round_to_minor_unit

_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class TaxRate:
    """A tax of ``percent``. ``inclusive``: prices hold it already."""

    id: str
    name: str
    percent: Decimal
    inclusive: bool = False


@dataclass(frozen=True, slots=True)
class TaxLine:
    """One tax: ``taxable`` is the net amount it is on, ``amount`` the tax."""

    rate: TaxRate
    taxable: Decimal
    amount: Decimal


@dataclass(frozen=True, slots=True)
class TaxedAmount:
    """``net`` and the taxes' amounts add up to ``gross``, each in minor units."""

    net: Decimal
    taxes: tuple[TaxLine, ...]
    gross: Decimal


def add_tax(amount: Decimal, rates: Sequence[TaxRate], currency: str) -> TaxedAmount:
    """Tax ``amount``, a total in minor units, by each rate; taxes are not taxed.

    With inclusive rates ``amount`` is the gross, and what is taken out of it is rounded once a
    rate. Raises ``ValueError`` if inclusive and exclusive rates are mixed, or the amount has parts
    of a minor unit.
    """
    if round_to_minor_unit(amount, currency) != amount:
        raise ValueError(f"{amount} is not in minor units of {currency}")
    if len({rate.inclusive for rate in rates}) > 1:
        raise ValueError("inclusive and exclusive rates can't be mixed")
    with exact_arithmetic():
        whole = Fraction(amount)
        if rates and rates[0].inclusive:
            whole /= 1 + sum((Fraction(rate.percent) for rate in rates), Fraction(0)) / 100
        owed = [round_fraction(whole * Fraction(rate.percent) / 100, currency) for rate in rates]
        tax = sum(owed, _ZERO)
        net = amount - tax if rates and rates[0].inclusive else amount
        lines = tuple(TaxLine(rate, net, part) for rate, part in zip(rates, owed, strict=True))
        return TaxedAmount(net, lines, net + tax)
