"""What is sent to a platform and read from it, in our own words. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from backend_client.types.charges import (
    FlatCharge,
    GraduatedCharge,
    PerUnitCharge,
    VolumeCharge,
)


@dataclass(frozen=True, slots=True)
class Customer:
    """A tenant as a platform's customer: one a currency, since that can't change there."""

    tenant_id: str
    currency: str
    name: str
    email: str | None = None
    address: tuple[str, ...] = ()
    country: str | None = None
    region: str | None = None
    time_zone: str = "UTC"


@dataclass(frozen=True, slots=True)
class TaxOnDocument:
    """A tax as we computed it; ``inclusive`` is within the lines."""

    name: str
    percent: Decimal
    inclusive: bool
    taxable: Decimal
    amount: Decimal


@dataclass(frozen=True, slots=True)
class DocumentLine:
    """A line: its amount is rounded to the minor unit, and may be below zero.

    ``after_tax``: no tax is on it.
    """

    number: int
    text: str
    amount: Decimal
    start: datetime | None = None
    end: datetime | None = None
    after_tax: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuedDocument:
    """What invoices and credit notes have in common; amounts are rounded to the minor unit."""

    id: str
    tenant_id: str
    number: str
    currency: str
    issued_at: datetime
    lines: tuple[DocumentLine, ...]
    taxes: tuple[TaxOnDocument, ...]
    total: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceDocument(IssuedDocument):
    """An issued invoice. ``paid`` is what was paid of it otherwise than on the platform."""

    due_at: datetime
    tax: Decimal
    paid: Decimal = Decimal(0)
    notes: tuple[str, ...] = ()
    time_zone: str = "UTC"


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditNoteDocument(IssuedDocument):
    """A credit note on an invoice that the platform has as ``remote_invoice``."""

    reason: str
    remote_invoice: str


@dataclass(frozen=True, slots=True)
class TopUpDocument:
    """Credit that a customer is to pay for; if it is ``taxed`` the credit is what tax leaves."""

    id: str
    customer: Customer
    amount: Decimal
    taxed: bool = False


@dataclass(frozen=True, slots=True)
class PlanDocument:
    """A plan version that the platform can rate, in the currency that a tenant pays in."""

    tenant_id: str
    id: str
    version: int
    currency: str
    charges: tuple[FlatCharge | PerUnitCharge | GraduatedCharge | VolumeCharge, ...]
    net_days: int
    time_zone: str = "UTC"


@dataclass(frozen=True, slots=True)
class SentDelta:
    """A change of the same sum that was sent before; ``how`` as the adapter's verdict said."""

    identifier: str
    revision: int
    quantity: Decimal
    how: str | None = None


@dataclass(frozen=True, slots=True)
class UsageDelta:
    """A change of usage: ``quantity`` is added to what was sent before, and may be negative.

    ``identifier`` is derived from what it is, so that sending it again adds nothing. ``undoes`` is
    the identifier of a delta that this one takes back whole. ``revision`` counts the changes of a
    sum from 1; ``earlier`` are those that were sent, in that order, where this one takes back.
    ``tried``: an earlier try may have sent it.
    """

    identifier: str
    customer: str
    meter: str
    model: str
    at: datetime
    quantity: Decimal
    undoes: str | None = None
    undone_sent_at: datetime | None = None
    revision: int = 1
    earlier: tuple[SentDelta, ...] = ()
    tried: bool = False


@dataclass(frozen=True, slots=True)
class SavedMethod:
    """A payment method that the customer saved there. ``chosen``: invoices are charged to it."""

    kind: str
    label: str
    expires_on: str | None
    chosen: bool


@dataclass(frozen=True, slots=True)
class RemotePayment:
    """Money that the platform collected for an invoice."""

    reference: str
    amount: Decimal
    paid_at: datetime


@dataclass(frozen=True, slots=True)
class RatedInvoice:
    """An invoice that the platform wrote for a period which it rates.

    ``total`` is before what credit there paid of it; ``prepaid`` is what that was of the wallet's
    own credit. Only a ``final`` one stays as it is. ``failure`` is why it could not be collected.
    """

    remote_id: str
    start: datetime
    end: datetime
    currency: str
    total: Decimal
    prepaid: Decimal
    final: bool
    status: str
    payment: str
    failure: str | None = None


@dataclass(frozen=True, slots=True)
class CreditBlock:
    """Credit that the platform holds for a customer: what is left of it, in money or other units.

    ``source`` in the platform's word. A ``pending`` one pays nothing before it is paid for itself.
    """

    remote_id: str
    amount: Decimal
    unit: str
    is_money: bool
    source: str
    starts_at: datetime | None
    expires_at: datetime | None
    pending: bool


@dataclass(frozen=True, slots=True)
class CreditDraw:
    """What an invoice of the platform's own drew on credit that the platform holds."""

    remote_invoice: str
    amount: Decimal
    currency: str


@dataclass(frozen=True, slots=True)
class RemoteCredit:
    """The credit that a platform holds for a customer, other than the wallet's."""

    blocks: tuple[CreditBlock, ...] = ()
    draws: tuple[CreditDraw, ...] = ()


@dataclass(frozen=True, slots=True)
class RemoteInvoice:
    """An invoice as it stands on the platform; ``status`` in the platform's word."""

    remote_id: str
    status: str
    currency: str
    number: str | None
    total: Decimal
    tax: Decimal
    remaining: Decimal
    pay_url: str | None = None
    pdf_url: str | None = None
    failure: str | None = None
    payments: tuple[RemotePayment, ...] = field(default=())
