"""Tax on a bill, on top of its prices or within them. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from backend.pricing.money import ZERO, exact_arithmetic, round_fraction, round_to_minor_unit


@dataclass(frozen=True, slots=True)
class TaxRate:
    """A tax of ``percent``; no ``id`` if it is not from the catalog.

    ``inclusive``: it is within the prices already.
    """

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

    Inclusive rates are taken out of the amount, the others come on top of the net that is left.
    Each tax is rounded once. Raises ``ValueError`` if the amount has parts of a
    minor unit.
    """
    if round_to_minor_unit(amount, currency) != amount:
        raise ValueError(f"{amount} is not in minor units of {currency}")
    within = sum((Fraction(rate.percent) for rate in rates if rate.inclusive), Fraction(0))
    bare = Fraction(amount) / (1 + within / 100)
    with exact_arithmetic():
        owed = {
            index: round_fraction(bare * Fraction(rate.percent) / 100, currency)
            for index, rate in enumerate(rates)
            if rate.inclusive
        }
        net = amount - sum(owed.values(), ZERO)
        for index, rate in enumerate(rates):
            if not rate.inclusive:
                owed[index] = round_fraction(Fraction(net) * Fraction(rate.percent) / 100, currency)
        lines = tuple(TaxLine(rate, net, owed[index]) for index, rate in enumerate(rates))
        return TaxedAmount(net, lines, net + sum(owed.values(), ZERO))


def net_of_parts(parts: Sequence[Decimal], within: Decimal, currency: str) -> list[Decimal]:
    """Return ``parts`` less the tax ``within`` them, each its share.

    The running sum is rounded, so that they add up to their total less the tax.
    """
    whole = sum(parts, ZERO)
    if not within or not whole:
        return list(parts)
    nets = []
    running = before = ZERO
    with exact_arithmetic():
        for part in parts:
            running += part
            share = Fraction(running) / Fraction(whole)
            reached = round_fraction(Fraction(whole - within) * share, currency)
            nets.append(reached - before)
            before = reached
    return nets


def tax_of_part(
    taxes: Sequence[TaxLine], whole: Decimal, part: Decimal, currency: str
) -> tuple[TaxLine, ...]:
    """Return the tax on a ``part`` of a ``whole``, for each of the whole's taxes, rounded once.

    For the whole it is all of the tax, so taxing a running sum makes parts add up to the whole.
    Where the whole was taxed by rates, the part's net and taxes add up to the part too.
    """
    share = Fraction(part) / Fraction(whole) if whole else Fraction(0)

    def of(amount: Decimal) -> Decimal:
        return round_fraction(Fraction(amount) * share, currency)

    with exact_arithmetic():
        net = whole - sum((tax.amount for tax in taxes if tax.rate.inclusive), ZERO)
        left = part - sum((of(tax.amount) for tax in taxes if tax.rate.inclusive), ZERO)
    return tuple(
        TaxLine(tax.rate, left if tax.taxable == net else of(tax.taxable), of(tax.amount))
        for tax in taxes
    )
