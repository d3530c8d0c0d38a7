"""A journal entry: lines that add up to zero. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class JournalLine:
    """A line of an entry: ``amount`` is a debit above zero and a credit below."""

    account: str
    cost_center: str | None
    amount: Decimal
    text: str


@dataclass(frozen=True, slots=True)
class Journal:
    """An entry. Its ``reference`` is the same however often it is written: import it once.

    All lines are against the account ``main``, for programs whose lines name two accounts. A
    seller's entry has its ``kind``, the tenant and the document that it is of.
    """

    reference: str
    booked_on: date
    currency: str
    main: str
    lines: tuple[JournalLine, ...]
    kind: str = ""
    tenant: str = ""
    document: str = ""
