"""Documents as they are booked: invoices, credit notes, payments, and movements of credit. Pure.

Days are those of the books' clocks, but for a line's service, whose days are the customer's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from backend.pricing.money import ZERO


@dataclass(frozen=True, slots=True)
class BookedTax:
    """A tax of a document; ``inclusive``: it is within the lines' amounts."""

    name: str
    amount: Decimal
    inclusive: bool


@dataclass(frozen=True, slots=True)
class BookedLine:
    """A line: what it asks for, and the service's days from ``start`` until before ``end``."""

    kind: str
    plan: str | None
    item: str
    amount: Decimal
    start: date
    end: date
    late: bool = False


@dataclass(frozen=True, slots=True)
class BookedInvoice:
    """An issued invoice. ``catches_up``: it comes after the time that it is about.

    ``sells_credit``: the credit is booked with the wallet, so that only the tax is left.
    ``pays_ahead``: it asks for credit that a contract brought, which is earned as it is used.
    """

    tenant: str
    id: str
    number: str
    currency: str
    issued_on: date
    lines: Sequence[BookedLine]
    taxes: Sequence[BookedTax]
    total: Decimal
    catches_up: bool = False
    sells_credit: bool = False
    pays_ahead: bool = False
    voided_on: date | None = None
    written_off_at: datetime | None = None
    written_off_on: date | None = None


@dataclass(frozen=True, slots=True)
class BookedNote:
    """A credit note; ``lines`` has what it takes off each line, by the line's number."""

    id: str
    number: str
    issued_at: datetime
    issued_on: date
    lines: Mapping[int, Decimal]
    taxes: Sequence[BookedTax]
    total: Decimal


@dataclass(frozen=True, slots=True)
class BookedPayment:
    """A payment; ``promotional`` is the part of it that credit paid which nobody bought."""

    id: str
    method: str
    reference: str
    amount: Decimal
    received_at: datetime
    received_on: date
    promotional: Decimal = ZERO


@dataclass(frozen=True, slots=True)
class Account:
    """An invoice with all that happened to it."""

    invoice: BookedInvoice
    notes: Sequence[BookedNote] = ()
    payments: Sequence[BookedPayment] = ()


@dataclass(frozen=True, slots=True)
class CreditMovement:
    """Credit that was sold or, with ``refund``, paid back; ``id`` is the grant's.

    Of credit that a contract brought it is what an instalment asks for: ``invoiced``, and booked
    with the invoice, whose ``id`` it has.
    """

    id: str
    name: str
    amount: Decimal
    on: date
    refund: bool = False
    invoiced: bool = False


@dataclass(frozen=True, slots=True)
class CreditMonth:
    """What a month moved of credit that was bought.

    ``burnt`` by calls and ``expired`` unused are unrounded; what was ``applied`` to invoices is in
    minor units, and what is over of it is in ``burnt``.
    """

    burnt: Decimal = ZERO
    applied: Decimal = ZERO
    expired: Decimal = ZERO


@dataclass(frozen=True, slots=True)
class BookedWallet:
    """The bought credit of a tenant since its beginning; months by their first days."""

    tenant: str
    slug: str
    currency: str
    movements: Sequence[CreditMovement]
    months: Mapping[date, CreditMonth]
