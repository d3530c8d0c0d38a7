"""Journals as files: columns of one's own, or the forms of accounting programs."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from backend_client.types.common import Wire

Account = Annotated[str, Field(min_length=1, max_length=100)]
"""An account as the ledger calls it: a number, or a name."""


class JournalField(StrEnum):
    """What a column of a journal can hold; the last three are empty in chargeback's."""

    REFERENCE = "reference"
    DATE = "date"
    LINE = "line"
    ACCOUNT = "account"
    COST_CENTER = "cost_center"
    DEBIT = "debit"
    CREDIT = "credit"
    AMOUNT = "amount"
    CURRENCY = "currency"
    TEXT = "text"
    KIND = "kind"
    TENANT = "tenant"
    DOCUMENT = "document"


class JournalColumn(Wire):
    """A column of a journal: its heading in the file, and what is in it."""

    heading: Annotated[str, Field(min_length=1, max_length=100)] = Field(
        description="What the column is called in the file."
    )
    field: JournalField = Field(
        description="What is in it, such as `account`, `debit` or `cost_center`."
    )


class DatevDetails(Wire):
    """What the head of a DATEV file names: consultant, client and the fiscal year."""

    consultant: int = Field(
        ge=1001, le=9_999_999, description="The tax consultant's number at DATEV."
    )
    client: int = Field(ge=1, le=99_999, description="The client's number at the consultant.")
    fiscal_year_month: int = Field(
        1, ge=1, le=12, description="The month, 1 to 12, that the fiscal year begins with."
    )
    account_digits: int = Field(
        4, ge=4, le=8, description="How many digits the ledger's accounts have."
    )


class JournalFormat(StrEnum):
    """Files that accounting programs read: columns of one's own, or those of a program."""

    CSV = "csv"
    DATEV = "datev"
    QUICKBOOKS = "quickbooks"
    XERO = "xero"


class JournalForms(Wire):
    """How journals are written: own ``columns`` for CSV, Xero's tax rate, DATEV's head."""

    tax_rate: Account = Field(
        "Tax Exempt", description="What Xero calls the tax rate of lines without tax."
    )
    columns: list[JournalColumn] = Field(
        [],
        max_length=20,
        description="The columns of a CSV file in their order; empty for the usual ones.",
    )
    datev: DatevDetails | None = Field(
        None, description="What the head of a DATEV file needs; null if none is written."
    )
