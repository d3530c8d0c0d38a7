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

    receivable: Account = "Accounts receivable"
    cash: Account = "Cash"
    cash_by_method: AccountsByName = {}
    customer_balance: Account = "Customer balances"
    prepaid_credit: Account = "Prepaid credit"
    deferred_revenue: Account = "Deferred revenue"
    unbilled_revenue: Account = "Unbilled revenue"
    revenue: Account = "Revenue"
    revenue_by_plan: AccountsByName = {}
    breakage: Account = "Breakage of prepaid credit"
    promotional_credit: Account = "Promotional credit"
    tax: Account = "Tax payable"
    tax_by_name: AccountsByName = {}
    bad_debt: Account = "Bad debt"


class BookTerms(JournalForms):
    """How the books are kept: ``accounts``, the clocks of their months, and forms of files."""

    time_zone: TimeZone = "UTC"
    accounts: ChartOfAccounts = ChartOfAccounts()


class BookTermsVersion(Answer):
    """The terms as they are. ``revision`` counts their changes; 0 before the first."""

    revision: int
    terms: BookTerms
    changed_at: Instant | None = None
    changed_by: str | None = None


class BookTermsPut(Wire):
    """Terms to keep. ``revision`` is the one that was read."""

    terms: BookTerms
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

    account: str
    amount: Money
    text: str


class BookEntry(Answer):
    """A balanced entry. ``reference`` is the same each time: import it once.

    ``document`` is the id of what it books: an invoice, a payment, a credit note, a grant; of a
    month's burn and breakage the tenant.
    """

    reference: str
    kind: EntryKind
    booked_on: datetime.date
    tenant: str
    document: str
    currency: Currency
    lines: list[EntryLine]


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

    month: datetime.date
    kind: RevenueKind
    currency: Currency
    opening: Money
    additions: Money
    released: Money
    recognized: Money
    breakage: Money
    closing: Money
    provisional: bool = False


class RevenueSchedule(Answer):
    """Revenue by month, kind and currency; of one ``tenant`` or of all."""

    tenant: str | None
    rows: list[RevenueMonth]
