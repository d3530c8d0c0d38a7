"""What a customer has with the seller beside its credit, and what it owes."""

from __future__ import annotations

from datetime import datetime

from backend_client.types.common import Money, Wire


class AccountBalance(Wire):
    """``balance`` is what was paid or credited and not yet used; it pays the next open invoice.

    ``owed`` is what ``open_invoices`` still ask for, ``overdue`` the part of it whose day has
    passed. ``next_due_at`` is the earliest day; null if nothing is owed.
    """

    balance: Money
    owed: Money
    overdue: Money
    open_invoices: int
    next_due_at: datetime | None
