"""Entries of the ledger, and the accounts that they move credit between. Pure.

The ledger is append-only and double-entry: an entry moves an amount of one grant from one account
to another, so what was granted is always what is available, reserved, used, expired and refunded.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum


class Account(StrEnum):
    """Where a grant's credit can be. ``granted`` is where it comes from, and runs below zero.

    What a plan brought goes back there if the plan is left before the period ends.
    """

    GRANTED = "granted"
    AVAILABLE = "available"
    RESERVED = "reserved"
    USED = "used"
    EXPIRED = "expired"
    REFUNDED = "refunded"


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """``amount`` of a grant moved between accounts; ``cause`` is the hold or the reason."""

    at: datetime
    grant_id: str
    source: Account
    target: Account
    amount: Decimal
    cause: str
