"""What a customer has with the seller beside its credit, and what it owes."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from backend_client.types.common import Money, Wire


class AccountBalance(Wire):
    """``balance`` is what was paid or credited and not yet used; it pays the next open invoice.

    ``owed`` is what ``open_invoices`` still ask for, ``overdue`` the part of it whose day has
    passed. ``next_due_at`` is the earliest day; null if nothing is owed.
    """

    balance: Money = Field(
        description="What was paid or credited and is not used yet; the next open invoice "
        "draws on it."
    )
    owed: Money = Field(description="What all open invoices still ask for.")
    overdue: Money = Field(description="The part of `owed` whose due date has passed.")
    open_invoices: int = Field(description="How many issued invoices are not wholly paid.")
    next_due_at: datetime | None = Field(
        description="The earliest due date of the open invoices; null if nothing is owed."
    )
