"""Bought credit by month, in minor units. Pure.

Calls use credit to the last digit. What is left at a month's end is rounded once, and what calls
used is the rest, so that a wallet that is used up leaves nothing on the books.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from backend.accounting.rules.documents import BookedWallet, CreditMonth
from backend.accounting.rules.revenue import first_of
from backend.pricing.money import ZERO, exact_arithmetic, round_to_minor_unit


@dataclass(frozen=True, slots=True)
class RoundedMonth:
    """A month of a wallet in minor units: opening + sold - refunded - applied - burnt - expired."""

    month: date
    opening: Decimal
    sold: Decimal = ZERO
    refunded: Decimal = ZERO
    applied: Decimal = ZERO
    burnt: Decimal = ZERO
    expired: Decimal = ZERO

    @property
    def closing(self) -> Decimal:
        """What is left of the credit."""
        spent = self.refunded + self.applied + self.burnt + self.expired
        return self.opening + self.sold - spent


def rounded_months(wallet: BookedWallet) -> list[RoundedMonth]:
    """Return the months in which something moved, in their order."""
    currency = wallet.currency
    exact_left = exact_expired = expired_before = opening = ZERO
    rounded: list[RoundedMonth] = []
    months = set(wallet.months) | {first_of(movement.on) for movement in wallet.movements}
    with exact_arithmetic():
        for month in sorted(months):
            moved = wallet.months.get(month, CreditMonth())
            sold = refunded = ZERO
            for movement in wallet.movements:
                if first_of(movement.on) == month:
                    amount = round_to_minor_unit(movement.amount, currency)
                    sold += ZERO if movement.refund else amount
                    refunded += amount if movement.refund else ZERO
                    exact_left += -movement.amount if movement.refund else movement.amount
            exact_expired += moved.expired
            exact_left -= moved.burnt + moved.applied + moved.expired
            expired = round_to_minor_unit(exact_expired, currency) - expired_before
            expired_before += expired
            applied = round_to_minor_unit(moved.applied, currency)
            left = round_to_minor_unit(exact_left, currency)
            burnt = opening + sold - refunded - applied - expired - left
            rounded.append(RoundedMonth(month, opening, sold, refunded, applied, burnt, expired))
            opening = left
    return rounded
