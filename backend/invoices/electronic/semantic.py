"""The model of EN 16931, as far as documents of Farebox use it. Pure.

Names are ours; the business terms of the standard (BT, BG) stand beside them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum

from backend.pricing.money import ZERO
from backend_client.types.invoices import Party


class Category(StrEnum):
    """VAT categories (UNCL 5305) that occur: standard, zero, exempt, reverse charge, outside."""

    STANDARD = "S"
    ZERO = "Z"
    EXEMPT = "E"
    REVERSE_CHARGE = "AE"
    OUTSIDE = "O"


@dataclass(frozen=True, slots=True)
class Vat:
    """The one VAT of a document (BG-23): ``taxable`` at ``percent`` is ``amount``."""

    category: Category
    percent: Decimal
    taxable: Decimal
    amount: Decimal
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """A line (BG-25): one unit at the line's net ``amount``; a negative line has a quantity of -1.

    What was counted, and by which prices, is in ``description``: tiers have no single price.
    """

    number: str
    name: str
    description: str
    start: date
    end: date
    amount: Decimal

    @property
    def quantity(self) -> int:
        """One unit, or one taken back: no price may be below zero (BR-27)."""
        return -1 if self.amount < 0 else 1

    @property
    def price(self) -> Decimal:
        """The net price of the unit."""
        return abs(self.amount)


@dataclass(frozen=True, slots=True)
class Preceding:
    """The invoice that a credit note is for (BG-3)."""

    number: str
    issued_on: date


@dataclass(frozen=True, slots=True)
class Document:
    """An invoice, or with ``preceding`` a credit note. Amounts have the currency's decimals."""

    number: str
    issued_on: date
    due_on: date | None
    currency: str
    seller: Party
    buyer: Party
    start: date
    end: date
    notes: Sequence[str]
    terms: str | None
    lines: Sequence[Line]
    vat: Vat
    paid: Decimal = ZERO
    preceding: Preceding | None = None

    @property
    def net(self) -> Decimal:
        """The sum of the lines (BT-106, BT-109)."""
        return sum((line.amount for line in self.lines), ZERO)

    @property
    def gross(self) -> Decimal:
        """The total with VAT (BT-112)."""
        return self.net + self.vat.amount

    @property
    def payable(self) -> Decimal:
        """What is left to pay (BT-115)."""
        return self.gross - self.paid
