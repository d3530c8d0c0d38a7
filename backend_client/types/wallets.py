"""Wallets: credit that is bought or given, and what became of it."""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import Annotated, Final, Literal, Self

from pydantic import Field, model_validator

from backend_client.types.charges import Percent
from backend_client.types.common import Answer, Currency, Exact, Instant, Wire
from backend_client.types.events import Name
from backend_client.types.texts import Title

Credit = Annotated[Exact, Field(gt=0, max_digits=18, decimal_places=6, allow_inf_nan=False)]
CreditAccount = Literal["granted", "available", "reserved", "used", "expired", "refunded"]


GRANTED_BY_CONTRACT: Final = "contract"
"""The ``origin`` of credit that a contract has prepaid: invoices of instalments ask for it."""


class CreditKind(StrEnum):
    """Given away, or bought."""

    PROMOTIONAL = "promotional"
    PAID = "paid"


class CreditGrantCreate(Wire):
    """Credit for a tenant, in its currency, from ``starts_at`` (now if null) to ``expires_at``.

    Lower ``priority`` numbers burn first among grants that expire together. ``models`` limits what
    it pays for. Credit ``in_arrears`` pays invoices of the time until ``expires_at``, also those
    that are made after it, and no others: credit of a month pays that month's invoice, and what was
    paid ahead for a year the invoices of that year.

    When it expires ``rollover_percent`` of what is left stays for ``rollover_months`` more, once;
    the rest expires. Of credit in arrears that is when the invoices of its time were made.
    """

    name: Title = Field(min_length=1, max_length=200)
    kind: CreditKind
    amount: Credit
    starts_at: Instant | None = None
    expires_at: Instant | None = None
    priority: int = Field(100, ge=0, le=1000)
    models: list[Name] | None = Field(None, min_length=1)
    in_arrears: bool = False
    rollover_percent: Annotated[Percent, Field(gt=0)] | None = None
    rollover_months: int | None = Field(None, ge=1, le=120)

    @model_validator(mode="after")
    def _what_rolls_over_has_an_end(self) -> Self:
        if (self.rollover_percent is None) != (self.rollover_months is None):
            raise ValueError("give both rollover_percent and rollover_months, or neither")
        if self.rollover_months is not None and self.expires_at is None:
            raise ValueError("a rollover needs an expires_at: the end of the term")
        return self

    @model_validator(mode="after")
    def _in_arrears_is_given_for_a_time(self) -> Self:
        if self.in_arrears and self.expires_at is None:
            raise ValueError("in_arrears needs an expires_at: the end of the time that it pays for")
        return self

    @model_validator(mode="after")
    def _expires_after_it_starts(self) -> Self:
        if self.starts_at and self.expires_at and self.expires_at <= self.starts_at:
            raise ValueError("expires_at must be after starts_at")
        return self


class CreditGrant(Answer):
    """A grant and where its ``amount`` is now; the parts always add up to it.

    ``origin`` is ``operator``, ``plan``, ``top_up`` or ``contract``. The amount of what a plan
    brings in a period follows how much of the period the plan is had for. Credit ``in_arrears``
    pays bills of the time until ``expires_at``, also after it: what is left of it expires when that
    time was billed.
    ``rolled_over`` is how much was carried on when its term ended; until then it is null, and the
    ``rollover_percent`` and ``rollover_months`` say what will be.
    ``taxed_at_sale``: its sale carried the tax, so calls that it pays are not taxed again.
    """

    id: str
    name: str
    kind: CreditKind
    origin: str
    priority: int
    models: list[str] | None
    starts_at: Instant
    expires_at: Instant | None
    in_arrears: bool = False
    rollover_percent: Exact | None = None
    rollover_months: int | None = None
    rolled_over: Exact | None = None
    taxed_at_sale: bool = False
    amount: Exact
    available: Exact
    reserved: Exact
    used: Exact
    expired: Exact
    refunded: Exact
    created_at: Instant


class TopUpRule(Wire):
    """Buy ``amount`` when less than ``threshold`` is left, but ``daily_ceiling`` a day at most."""

    threshold: Credit = Field(
        description="Below how much credit it buys more, in the tenant's currency."
    )
    amount: Credit = Field(description="How much it buys each time.")
    daily_ceiling: Credit = Field(description="The most that it buys in a day.")

    @model_validator(mode="after")
    def _one_top_up_fits_a_day(self) -> Self:
        if self.amount > self.daily_ceiling:
            raise ValueError("amount must not be above daily_ceiling")
        return self


class WalletSettings(Wire):
    """When to buy more automatically, and below what balance to warn; null is never."""

    top_up: TopUpRule | None = Field(
        None, description="The rule by which credit is bought automatically; null for none."
    )
    low_balance: Credit | None = Field(
        None, description="Below how much credit a notification is sent; null for none."
    )


class WalletBalance(Answer):
    """What a wallet held at ``as_of``. ``spendable`` is available and neither expired nor to come.

    Credit for some models only is part of it. ``low_since`` says since when less than
    ``settings.low_balance`` is left; it is null for another moment than now. ``top_ups_taxed`` says
    whether tax falls on the sale of credit: what a top-up brings is then what the tax leaves of it.
    """

    as_of: Instant
    currency: Currency
    spendable: Exact
    granted: Exact
    available: Exact
    reserved: Exact
    used: Exact
    expired: Exact
    refunded: Exact
    settings: WalletSettings
    low_since: Instant | None = None
    top_ups_taxed: bool = False


class LedgerEntry(Answer):
    """``amount`` of a grant went from one account to another. Entries are never changed.

    ``cause`` is the call, the invoice or the act that moved it.
    """

    number: int
    at: Instant
    grant: str
    source: CreditAccount
    target: CreditAccount
    amount: Exact
    cause: str


class TopUpCreate(Wire):
    """Ask to buy ``amount`` of credit."""

    amount: Credit = Field(description="How much to pay, in the tenant's currency.")


class TopUp(Answer):
    """Credit to be bought; it is there once the payment is confirmed.

    ``amount`` is what is paid. Where tax falls on the sale, the credit is what the tax leaves of
    it. ``automatic_on`` is the day on which the wallet's rule asked for it, null if a person did.
    ``invoice_id`` is its document, an invoice or a receipt, once it is paid.
    """

    id: str
    state: Literal["pending", "paid", "failed"] = Field(
        description="`pending` until the payment is `paid` or has `failed`."
    )
    amount: Exact = Field(
        description="How much is paid. Where tax falls on the sale, the credit is what the "
        "tax leaves of it."
    )
    automatic_on: date | None = Field(
        description="The day on which the wallet's rule asked for it; null if a person did."
    )
    reference: str | None = Field(
        description="What the payment is called by whoever took it; null until then."
    )
    invoice_id: str | None = None
    asked_at: Instant = Field(description="When it was asked for.")
    done_at: Instant | None = Field(description="When it was paid or failed; null until then.")


class TenantTopUp(TopUp):
    """A top-up with the tenant that asked for it; ``amount`` is in its ``currency``."""

    tenant_id: str
    tenant_name: str = Field(description="The customer's name.")
    currency: Currency


class TopUpOutcome(Wire):
    """What became of a payment; ``reference`` is its name at whoever took it."""

    state: Literal["paid", "failed"] = Field(
        description="Whether the payment came in (`paid`) or `failed`."
    )
    reference: str = Field(
        min_length=1, max_length=200, description="What the payment is called by whoever took it."
    )
