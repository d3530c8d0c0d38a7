"""Invoices: what a period is billed at, line by line, and what became of it."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from backend_client.types.charges import Percent, Price
from backend_client.types.common import Answer, Exact, Instant, Money, Page, Wire
from backend_client.types.countries import Country, Region
from backend_client.types.events import Sender
from backend_client.types.spend import Period, SpendLine

AddressLine = Annotated[str, Field(min_length=1, max_length=200)]
Text = Annotated[str, Field(min_length=1, max_length=200)]
Positive = Annotated[Exact, Field(gt=0, max_digits=24, decimal_places=4, allow_inf_nan=False)]


AFTER_TAX: frozenset[str] = frozenset({"redeemed", "redeemed_before"})
"""Kinds of lines that no tax is on: what credit has paid that was sold without tax."""


class InvoiceState(StrEnum):
    """A draft still follows usage; what is finalized never changes but for what is paid on it."""

    DRAFT = "draft"
    FINALIZED = "finalized"
    PAID = "paid"
    VOID = "void"
    UNCOLLECTIBLE = "uncollectible"


class InvoiceKind(StrEnum):
    """``period`` closes a billing period; ``progressive`` bills a part of one that runs.

    ``one_off`` has lines of the operator's own; ``reversal`` takes back a credit note; ``top_up``
    is the document of credit that was bought, a receipt if tax falls when that is used;
    ``instalment`` asks for a part of what a contract has prepaid.
    """

    PERIOD = "period"
    PROGRESSIVE = "progressive"
    ONE_OFF = "one_off"
    REVERSAL = "reversal"
    TOP_UP = "top_up"
    INSTALMENT = "instalment"


class EInvoiceFormat(StrEnum):
    """``peppol``: UBL, BIS Billing 3.0. ``xrechnung``: UBL, XRechnung 3.0. ``cii``: the XML of
    Factur-X (ZUGFeRD), profile EN 16931. ``factur-x``: the PDF with that XML inside, PDF/A-3.
    """

    PEPPOL = "peppol"
    XRECHNUNG = "xrechnung"
    CII = "cii"
    FACTUR_X = "factur-x"


class LegalDetails(Wire):
    """What e-invoices say of a seller or buyer beside its name, country and tax id.

    ``endpoint_scheme`` and ``endpoint`` are its electronic address: a code of the EAS list, such as
    ``9930`` for a German VAT id, and the id. ``buyer_reference`` is what the buyer wants to find
    on its invoices; for German authorities the Leitweg-ID.
    """

    street: Text | None = Field(None, description="Street and number; null if not given.")
    city: Text | None = Field(None, description="The town; null if not given.")
    postal_code: Annotated[str, Field(min_length=1, max_length=20)] | None = Field(
        None, description="The postal code; null if not given."
    )
    registration_id: Text | None = Field(
        None, description="The number in the register of companies; null if not given."
    )
    endpoint_scheme: Annotated[str, Field(pattern=r"^([0-9]{4}|EM)$")] | None = Field(
        None,
        description="What kind of electronic address `endpoint` is, by its code of the EAS "
        "list, such as `9930` for a German VAT id, or `EM` for e-mail; null without one.",
    )
    endpoint: Text | None = Field(
        None,
        description="The electronic address that e-invoices are sent to or from; null without one.",
    )
    buyer_reference: Text | None = Field(
        None,
        description="What the buyer wants to find on its invoices, for German authorities the "
        "Leitweg-ID; null for nothing.",
    )
    order_reference: Text | None = Field(
        None, description="The number of the buyer's order; null for none."
    )
    contact_name: Text | None = Field(
        None, description="Whom to ask about an invoice; null if not given."
    )
    contact_phone: Annotated[str, Field(min_length=3, max_length=50)] | None = Field(
        None, description="The telephone number of the contact; null if not given."
    )


class PartyLegal(LegalDetails):
    """The same of a party of an invoice; ``bank_account`` is the seller's IBAN."""

    bank_account: Annotated[str, Field(pattern=r"^[A-Z0-9]{5,34}$")] | None = Field(
        None, description="The seller's IBAN; null if not given, and for a buyer."
    )


class Party(Answer):
    """Who sells or who buys, as it is printed."""

    name: str = Field(description="The name as it is printed.")
    address: list[str] = Field([], description="The lines of the postal address.")
    email: str | None = Field(
        None, description="Where invoices are sent by e-mail; null if not given."
    )
    tax_id: str | None = Field(
        None, description="The VAT id or other tax number; null if not given."
    )
    country: str | None = Field(
        None, description="The country by its ISO 3166-1 code, such as `DE`; null if not given."
    )
    region: str | None = Field(
        None, description="The state or province where it is taxed, by its code; null if not given."
    )
    legal: PartyLegal | None = Field(
        None, description="What e-invoices say of it beside; null if not given."
    )


class Tax(Answer):
    """A tax on ``taxable``, rounded half up to the minor unit.

    It comes on top of the subtotal or, if ``inclusive``, is within it. ``rate_id`` is the rate's in
    the catalog, if it is from there.
    """

    rate_id: str | None = Field(
        None, description="The rate in the catalog, by its id; null if the tax is not from there."
    )
    name: str = Field(description="What the tax is called on the invoice.")
    percent: Exact = Field(description="The rate in percent.")
    inclusive: bool = Field(
        description="Whether it is within the lines; otherwise it comes on top."
    )
    taxable: Money = Field(description="The amount that it is on.")
    amount: Money = Field(description="How much tax that is, rounded half up to the minor unit.")


class InvoiceLine(Answer):
    """One line. ``amount`` is ``exact`` rounded once, half up, to the minor unit.

    ``kind`` is ``charge``, what was adjusted beside the charges (``minimum``, ``maximum``,
    ``discount`` and the like), or ``invoiced_before``: what earlier invoices of the same period
    asked for, taken off. ``prepaid`` is what credit paid as calls were made, before tax, and
    ``redeemed`` the same of credit that was sold without tax: it is taken off after tax. On a line
    with ``late`` the period was rated again, after it was invoiced: ``charge`` shows the whole,
    ``before`` is what was invoiced of it, ``amount`` the difference. ``charge`` holds the
    arithmetic, tier by tier. ``plan_name`` is what the plan's version is called.
    """

    line: int = Field(description="Which line of the invoice, counted from 1.")
    kind: str = Field(
        description="What the line is: a `charge`; what was adjusted beside the charges, such "
        "as `minimum` or `discount`; `invoiced_before`; or `prepaid` or `redeemed`, which "
        "credit has paid."
    )
    name: str = Field(description="What the line says.")
    period: Period = Field(description="The time that it is for.")
    late: bool = Field(
        False,
        description="Whether the period was rated again after it was invoiced: then the line "
        "asks for the difference.",
    )
    plan: str | None = Field(
        None, description="The plan that asks for it, by id; null for what is of no plan."
    )
    plan_version: int | None = None
    plan_name: str | None = Field(
        None, description="What the plan's version is called; null for what is of no plan."
    )
    quantity: Exact | None = Field(
        None, description="How many units; null for a line without units."
    )
    charge: SpendLine | None = Field(
        None, description="How it was computed, tier by tier; null for a line that is no charge."
    )
    before: Money | None = Field(
        None, description="What was invoiced of it before; null unless it is `late`."
    )
    exact: Exact = Field(description="The amount before it is rounded.")
    amount: Money = Field(
        description="What the line asks for: `exact`, rounded once, half up to the minor unit."
    )


class Payment(Answer):
    """Money received for an invoice, or drawn from (negative: put on) the customer's balance.

    Below zero it was paid back or, with the payment that it ``returns``, taken back by the bank.
    """

    id: str
    amount: Money = Field(
        description="How much was paid; below zero if it was paid back, taken back, or put on "
        "the balance."
    )
    method: str = Field(
        description="How it was paid, such as `transfer` or `stripe`; `balance`, `credit` and "
        "`top_up` are Farebox's own."
    )
    reference: str = Field(description="What the payment is called by whoever took it.")
    returns: str | None = Field(
        None, description="The payment, by id, that this one takes back; null if none."
    )
    received_at: Instant = Field(description="When the money came in.")


class CreditedLine(Answer):
    """What a credit note takes off a line, before tax."""

    line: int = Field(description="The invoice's line, by its number.")
    amount: Money = Field(description="What the credit note takes off it, before tax.")


class CreditNote(Answer):
    """Takes back part of an invoice. ``to_balance`` is what was paid already of it.

    The balance is drawn on by the next invoices. ``to_credit`` is what credit had paid of it that
    was given away, or that a plan had brought: it is in the wallet again.
    ``tax`` is what comes on top of the lines; of ``taxes`` some may be within them.
    """

    id: str
    number: str
    invoice_id: str
    invoice_number: str = ""
    reason: str
    lines: list[CreditedLine]
    subtotal: Money
    tax: Money
    taxes: list[Tax] = []
    total: Money
    to_balance: Money
    to_credit: Money | None = None
    issued_at: Instant


class Reminder(Answer):
    """A step of dunning that an overdue invoice has reached."""

    step: str = Field(
        description="The step of dunning, by its name in the operator's settings, such as "
        "`remind` or `suspend`."
    )
    at: Instant = Field(description="When the invoice came to it.")


class InvoiceSummary(Answer):
    """An invoice in a list. ``number`` and dates are null while it is a draft.

    ``due`` is what is still to be paid. A draft is finalized at ``finalizes_at``. Its total is
    before tax while that is not known (``tax_known`` false): it is asked for before it is issued.
    """

    id: str
    number: str | None
    kind: InvoiceKind
    state: InvoiceState
    period: Period
    issued_at: Instant | None
    due_at: Instant | None
    finalizes_at: Instant | None = None
    total: Money
    due: Money
    overdue: bool = False
    tax_known: bool = True


class Invoice(InvoiceSummary):
    """An invoice with its lines.

    ``subtotal`` is the sum of the lines, ``total`` that and the taxes which come on top. Taxes are
    on all lines but those whose ``kind`` is ``redeemed`` or ``redeemed_before``.
    ``tax_date`` is the day whose rates hold; ``tax_notes`` say why tax is not charged, or how.
    ``paid`` is what was paid, what credit notes gave back since (``to_balance``, ``to_credit``)
    included. ``replaced_by`` was issued in its place, or bills its periods again. ``reverses`` is
    the credit note that a reversal takes back.
    """

    seller: Party
    customer: Party
    lines: list[InvoiceLine]
    subtotal: Money
    tax_date: date | None = None
    taxes: list[Tax] = []
    tax_notes: list[str] = []
    paid: Money
    credited: Money
    payment_note: str = ""
    replaces: str | None = None
    replaced_by: str | None = None
    reverses: str | None = None
    payments: list[Payment] = []
    credit_notes: list[CreditNote] = []
    reminders: list[Reminder] = []


class LineEvent(Answer):
    """An event behind a line, as it was received."""

    id: str
    sender: Sender
    source: str
    time: Instant
    received_at: Instant
    application: str
    key: str | None
    model: str
    quantities: dict[str, Exact]
    labels: dict[str, str]


class LineEvents(Page[LineEvent]):
    """A page of the events behind a line.

    ``archived_days`` (UTC) are those of the line's time whose events are in archives: they count in
    the line, and are not listed until they are restored.
    """

    archived_days: list[date] = Field(
        [],
        description="Days (UTC) of the line's time whose events are in archives: they count "
        "in the line and are not listed.",
    )


class PaymentRecord(Wire):
    """Money that came in. The same ``method`` and ``reference`` again are the same payment.

    More than is due is refused unless ``excess`` says that it goes to the customer's balance.
    """

    amount: Positive = Field(description="How much came in, in the invoice's currency.")
    method: Text = Field(description="How it was paid, such as `transfer`.")
    reference: Text = Field(
        description="What the payment is called by whoever took it: the same again is the "
        "same payment."
    )
    received_at: Instant | None = Field(None, description="When it came in; null for now.")
    excess: Literal["refuse", "balance"] = Field(
        "refuse",
        description="What becomes of more than is due: `refuse` refuses the payment, "
        "`balance` puts the rest on the customer's balance.",
    )


class PaymentReturn(Wire):
    """A payment that the bank or the card's owner took back whole; ``reference`` names that.

    ``fee`` is what the customer is asked for it, on its next invoice.
    """

    reference: Text = Field(
        description="What whoever took the payment back calls that: the same again is the "
        "same return."
    )
    returned_at: Instant | None = Field(None, description="When it was taken back; null for now.")
    fee: Positive | None = Field(
        None,
        description="What the customer is asked for it, on its next invoice; null for nothing.",
    )


class PaymentRefund(Wire):
    """Money that was paid back of a payment, all that is left of it if ``amount`` is null.

    ``reference`` names the refund: the same again is the same refund.
    """

    amount: Positive | None = Field(
        None, description="How much was paid back; null for all that is left of the payment."
    )
    reference: Text = Field(
        description="What the refund is called by whoever made it: the same again is the same "
        "refund."
    )


class BalanceRefund(Wire):
    """Money that was paid out of a customer's balance, all of it if ``amount`` is null.

    The same ``method`` and ``reference`` again are the same refund.
    """

    amount: Positive | None = Field(
        None, description="How much was paid out; null for all of the balance."
    )
    method: Text = Field(description="How it was paid out, such as `transfer`.")
    reference: Text = Field(
        description="What the refund is called by whoever made it: the same again is the same "
        "refund."
    )


class ApplyToInvoice(Wire):
    """Let the balance, or credit that was bought, pay an open invoice now.

    It pays as much as there is and the invoice asks for, or ``amount``.
    """

    source: Literal["balance", "credit"] = Field(
        description="What pays: the customer's `balance`, or `credit` that it bought."
    )
    amount: Positive | None = Field(
        None, description="How much of it; null for as much as there is and the invoice asks for."
    )


class CreditWanted(Wire):
    """What to credit of a line, before tax; all that is left of it when ``amount`` is null."""

    line: int = Field(ge=1, description="The invoice's line, by its number.")
    amount: Positive | None = Field(
        None, description="What to credit of it, before tax; null for all that is left of it."
    )


class CreditNoteCreate(Wire):
    """A credit note over some lines; over all that is left of the invoice if there are none.

    With ``tax_only`` it takes back the tax that is left on top of the lines, and nothing else.
    """

    reason: Text = Field(description="Why, as the credit note says it.")
    lines: list[CreditWanted] = Field(
        [],
        max_length=1000,
        description="Which lines to credit, and how much of each; empty for all that is left "
        "of the invoice.",
    )
    tax_only: bool = Field(
        False, description="Whether to take back only the tax that is left on top of the lines."
    )

    @field_validator("tax_only")
    @classmethod
    def _tax_has_no_lines(cls, tax_only: bool, info: ValidationInfo) -> bool:
        if tax_only and info.data.get("lines"):
            raise ValueError("takes back tax alone: leave out the lines")
        return tax_only


class CreditNoteReversal(Wire):
    """Why a credit note was wrong. An invoice then asks for what it took off."""

    reason: Text = Field(description="Why the credit note was wrong.")


class OneOffLine(Wire):
    """A line of the operator's own: ``quantity`` times ``unit_price``, rounded once.

    A price below zero is a discount.
    """

    name: Text = Field(description="What the line says.")
    quantity: Positive = Field(Decimal(1), description="How many units.")
    unit_price: Annotated[Exact, Field(max_digits=24, decimal_places=6, allow_inf_nan=False)] = (
        Field(description="What a unit costs; below zero for a discount.")
    )


class OneOffInvoiceCreate(Wire):
    """An invoice beside the billing of periods, such as a set-up fee; due after ``net_days``."""

    lines: list[OneOffLine] = Field(
        min_length=1, max_length=100, description="The lines, in their order."
    )
    net_days: int | None = Field(
        None,
        ge=0,
        le=365,
        description="After how many days it is due; null for what the customer's terms say.",
    )


class VoidInvoice(Wire):
    """Why an invoice is void, and what comes in its place; by default nothing.

    ``reissue``: it is issued again under a new number, with the taxes that it had or (``tax``:
    ``again``) those of the customer's present details. ``bill_again``: the next invoice bills its
    periods anew, at the prices and usage that hold then.
    """

    reason: Text = Field(description="Why the invoice is void.")
    reissue: bool = Field(
        False, description="Whether it is issued again at once, under a new number."
    )
    tax: Literal["same", "again"] = Field(
        "same",
        description="With `reissue`: the `same` taxes that it had, or `again` those of the "
        "customer's present details.",
    )
    bill_again: bool = Field(
        False,
        description="Whether the next invoice bills its periods anew, at the prices and usage "
        "that hold then.",
    )

    @model_validator(mode="after")
    def _one_thing_comes_in_its_place(self) -> Self:
        if self.bill_again and self.reissue:
            raise ValueError("bill_again and reissue exclude each other")
        if self.tax == "again" and not self.reissue:
            raise ValueError("tax is asked for again when the invoice is issued again: set reissue")
        return self


class BillingDetails(Wire):
    """How a customer is named on its invoices; the tenant's name if ``name`` is null.

    ``country`` and ``region`` say where it is taxed. ``business``: it buys as one, and accounts for
    tax itself where the seller's rates allow that and it has a ``tax_id``. ``legal`` is what its
    e-invoices need beside.
    """

    name: Text | None = Field(
        None, description="How the customer is named on its invoices; null for the tenant's name."
    )
    address: list[AddressLine] = Field(
        [], max_length=8, description="The lines of the postal address."
    )
    email: Text | None = Field(
        None, description="Where invoices and reminders are sent; null for nowhere."
    )
    tax_id: Text | None = Field(None, description="The VAT id or other tax number; null for none.")
    country: Country | None = Field(
        None,
        description="The country where it is taxed, by its ISO 3166-1 code such as `DE`; null "
        "if not known.",
    )
    region: Region | None = Field(
        None,
        description="The state or province where it is taxed, by its code; null if not known, "
        "or if the country has none that matter.",
    )
    business: bool = Field(
        False,
        description="Whether it buys as a business. With a `tax_id` it then accounts for the "
        "tax itself where the rate says so.",
    )
    legal: LegalDetails | None = Field(
        None, description="What its e-invoices need beside; null for nothing."
    )

    @field_validator("region")
    @classmethod
    def _region_is_of_a_country(cls, region: str | None, info: ValidationInfo) -> str | None:
        if region is not None and info.data.get("country", "") is None:
            raise ValueError("needs the country that it is a region of")
        return region


class BillingTerms(Wire):
    """What the seller agrees with a customer; null takes what holds for all.

    ``net_days``: days from issue to due. ``progressive_threshold``: what may be unbilled in a
    running period before it is invoiced in part. ``tax_percent`` above zero is the only tax of the
    customer, whatever the catalog or the tax service says. ``tax_exemption``: it pays no tax, for
    this reason, which is printed.
    """

    net_days: int | None = Field(
        None,
        ge=0,
        le=365,
        description="How many days after its issue an invoice is due; null for what holds for "
        "all customers.",
    )
    progressive_threshold: Price | None = Field(
        None,
        description="How much may be unbilled in a running period before a part is invoiced; "
        "null for what holds for all customers.",
    )
    tax_name: Text | None = Field(
        None,
        description="What a `tax_percent` of its own is called on invoices; null for the "
        "usual name.",
    )
    tax_percent: Percent = Field(
        Decimal(0),
        description="The only tax that the customer pays, in percent; 0 leaves it to the "
        "catalog or the tax service.",
    )
    tax_inclusive: bool = Field(
        False, description="Whether prices hold the customer's own tax already."
    )
    tax_exemption: Text | None = Field(
        None,
        description="Why the customer pays no tax, as invoices say it; null if it is not exempt.",
    )

    @field_validator("tax_exemption")
    @classmethod
    def _exempt_or_taxed(cls, reason: str | None, info: ValidationInfo) -> str | None:
        if reason is not None and info.data.get("tax_percent"):
            raise ValueError("an exempt customer has no tax_percent")
        return reason


class InvoiceRun(Answer):
    """A run over all tenants. ``due`` had periods to close; the others count those that are done.

    ``invoiced`` and ``nothing_to_bill`` count periods, ``failed`` tenants that were left.
    """

    id: str
    state: Literal["running", "finished"] = Field(
        description="Whether the run is under way or `finished`."
    )
    as_of: Instant
    started_at: Instant = Field(description="When the run began.")
    finished_at: Instant | None = Field(
        description="When the run ended; null while it is under way."
    )
    due: int = Field(description="How many tenants had periods to close.")
    left: int = Field(description="How many of them are still to be looked at.")
    invoiced: int = Field(description="How many periods got an invoice.")
    nothing_to_bill: int = Field(description="How many periods had nothing to bill.")
    failed: int = Field(description="How many tenants could not be billed; they are tried again.")
