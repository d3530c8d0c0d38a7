"""The seller's books: chart of accounts, journal, and when revenue is recognized."""

from __future__ import annotations

import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from backend_client.types.charges import TimeZone
from backend_client.types.common import Answer, Currency, Instant, Money, Wire
from backend_client.types.journals import Account, JournalForms

Key = Annotated[str, Field(min_length=1, max_length=200)]
AccountsByName = Annotated[dict[Key, Account], Field(max_length=200)]


class ChartOfAccounts(Wire):
    """Which account each thing is booked on; numbers or names, as the ledger calls them.

    ``cash_by_method`` has the accounts of payment methods (``stripe``), ``tax_by_name`` those of
    taxes, ``revenue_by_plan`` those of plans; what is in none of them is on the plain account.
    """

    receivable: Account = Field(
        "Accounts receivable", description="The account of what customers owe on invoices."
    )
    cash: Account = Field(
        "Cash",
        description="The account of money that was received, where `cash_by_method` names "
        "none for its method.",
    )
    cash_by_method: AccountsByName = Field(
        {},
        description="The accounts of payment methods, such as `stripe` or `transfer`, by the "
        "method.",
    )
    customer_balance: Account = Field(
        "Customer balances",
        description="The account of what customers paid or were credited and have not used yet.",
    )
    prepaid_credit: Account = Field(
        "Prepaid credit",
        description="The account of credit that was sold and is not used yet: a liability.",
    )
    deferred_revenue: Account = Field(
        "Deferred revenue", description="The account of what was invoiced before it is earned."
    )
    unbilled_revenue: Account = Field(
        "Unbilled revenue", description="The account of what is earned before it is invoiced."
    )
    revenue: Account = Field(
        "Revenue",
        description="The account of revenue, where `revenue_by_plan` names none for its plan.",
    )
    revenue_by_plan: AccountsByName = Field(
        {}, description="The accounts of the revenue of plans, by the plan's id."
    )
    breakage: Account = Field(
        "Breakage of prepaid credit",
        description="The account of revenue from credit that was sold and expired unused.",
    )
    promotional_credit: Account = Field(
        "Promotional credit",
        description="The account of credit that was given away and paid invoices.",
    )
    tax: Account = Field(
        "Tax payable",
        description="The account of tax that is owed to the state, where `tax_by_name` names "
        "none for it.",
    )
    tax_by_name: AccountsByName = Field(
        {}, description="The accounts of taxes, by the tax's name on invoices."
    )
    bad_debt: Account = Field(
        "Bad debt", description="The account of invoices that were written off."
    )


class BookTerms(JournalForms):
    """How the books are kept: ``accounts``, the clocks of their months, and forms of files."""

    time_zone: TimeZone = "UTC"
    accounts: ChartOfAccounts = Field(
        ChartOfAccounts(), description="Which account each kind of thing is booked on."
    )


class BookTermsVersion(Answer):
    """The terms as they are. ``revision`` counts their changes; 0 before the first."""

    revision: int
    terms: BookTerms = Field(description="The terms that are in force.")
    changed_at: Instant | None = Field(
        None, description="When they were last changed; null before the first change."
    )
    changed_by: str | None = Field(
        None, description="Who last changed them, by id; null before the first change."
    )


class BookTermsPut(Wire):
    """Terms to keep. ``revision`` is the one that was read."""

    terms: BookTerms = Field(description="The terms to keep, whole.")
    revision: int = Field(ge=0)


class EntryKind(StrEnum):
    """What an entry books.

    ``recognition``: what a month earns of an invoice, a credit note or a void. ``credit_purchase``,
    ``credit_refund``: prepaid credit sold and paid back. ``credit_burn``, ``credit_breakage``: what
    a month's calls used of it, and what expired unused.
    """

    INVOICE = "invoice"
    VOID = "void"
    CREDIT_NOTE = "credit_note"
    PAYMENT = "payment"
    WRITE_OFF = "write_off"
    RECOGNITION = "recognition"
    CREDIT_PURCHASE = "credit_purchase"
    CREDIT_REFUND = "credit_refund"
    CREDIT_BURN = "credit_burn"
    CREDIT_BREAKAGE = "credit_breakage"


class EntryLine(Answer):
    """A line of an entry: a debit above zero, a credit below."""

    account: str = Field(description="The account, as the chart of accounts calls it.")
    amount: Money = Field(
        description="How much is booked on it: a debit above zero, a credit below. The lines "
        "of an entry add up to zero."
    )
    text: str = Field(description="What it is for, in words.")


class BookEntry(Answer):
    """A balanced entry. ``reference`` is the same each time: import it once.

    ``document`` is the id of what it books: an invoice, a payment, a credit note, a grant; of a
    month's burn and breakage the tenant.
    """

    reference: str = Field(
        description="What the entry is known by: the same each time it is read, so that it "
        "can be imported once."
    )
    kind: EntryKind = Field(
        description="What it books, such as an `invoice`, a `payment` or the `recognition` of "
        "revenue."
    )
    booked_on: datetime.date = Field(
        description="The day on which it is booked, by the clocks of the books' time zone."
    )
    tenant: str = Field(description="The customer that it is about, by id.")
    document: str = Field(
        description="What it books, by id: an invoice, a payment, a credit note or a grant; "
        "of a month's used and expired credit the tenant."
    )
    currency: Currency
    lines: list[EntryLine] = Field(
        description="The accounts with their amounts, which add up to zero."
    )


class RevenueKind(StrEnum):
    """What a row of the schedule is about.

    ``deferred``: invoiced before it is earned. ``unbilled``: earned before it is invoiced; below
    zero, as an asset. ``prepaid``: credit that was sold.
    """

    DEFERRED = "deferred"
    UNBILLED = "unbilled"
    PREPAID = "prepaid"


class RevenueMonth(Answer):
    """A month of the schedule: opening + additions - released - recognized = closing.

    ``additions`` are what was invoiced (less credit notes and voids) or, of prepaid credit, sold.
    ``released`` is credit that was paid back or paid invoices; ``breakage`` the part of
    ``recognized`` that expired unused. In a ``provisional`` month some invoices are still to come.
    """

    month: datetime.date = Field(description="The month, by its first day.")
    kind: RevenueKind = Field(
        description="What the row is about: invoiced before it is earned (`deferred`), earned "
        "before it is invoiced (`unbilled`), or credit that was sold (`prepaid`)."
    )
    currency: Currency
    opening: Money = Field(
        description="What stood at the month's beginning; the `closing` of the month before."
    )
    additions: Money = Field(
        description="What was invoiced in the month, less credit notes and voids; of prepaid "
        "credit, what was sold."
    )
    released: Money = Field(description="Credit that was paid back, or that paid invoices.")
    recognized: Money = Field(description="What the month earned.")
    breakage: Money = Field(
        description="The part of `recognized` that comes from credit which expired unused."
    )
    closing: Money = Field(
        description="What stands at the month's end: opening + additions - released - recognized."
    )
    provisional: bool = Field(
        False, description="Whether invoices are still to come that change the month."
    )


class RevenueSchedule(Answer):
    """Revenue by month, kind and currency; of one ``tenant`` or of all."""

    tenant: str | None = Field(description="The customer that it is of, by id; null for all.")
    rows: list[RevenueMonth] = Field(
        description="A row for each month, kind and currency, in this order."
    )
