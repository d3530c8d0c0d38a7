"""Invoices of the year of credit, and what those below zero give back of earlier ones, by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction

from tests.wallets.credit_oracle import ZERO, Pot, Purse


@dataclass
class Issued:
    """An invoice as it must be.

    ``asked`` is what its lines come to, by the period that they are about. ``money`` and ``given``
    are what is left of what was paid, or is owed, and of what credit paid that nobody had bought.
    """

    name: str
    start: datetime
    total: Fraction
    asked: dict[datetime, Fraction]
    by_credit: Fraction = ZERO
    by_balance: Fraction = ZERO
    money: Fraction = ZERO
    given: Fraction = ZERO
    returned: Fraction = ZERO


@dataclass
class GivingBack:
    """What goes back of earlier invoices: ``amount`` at most, of what is ``about`` some periods."""

    amount: Fraction
    about: set[datetime] = field(default_factory=set)

    def of(self, invoices: Sequence[Issued], purse: Purse, now: datetime) -> Fraction:
        """Give back the money that was paid, the last first, and then given credit to its pots.

        Return how much went to pots.
        """
        self._follow(invoices)
        earlier = [invoice for invoice in reversed(invoices) if invoice.total > 0]
        worth = {
            invoice.name: max(
                sum((invoice.asked.get(start, ZERO) for start in self.about), ZERO)
                - invoice.returned,
                ZERO,
            )
            for invoice in earlier
        }
        for invoice in earlier:
            part = min(self.amount, worth[invoice.name], invoice.money)
            worth[invoice.name] -= part
            invoice.money -= part
            invoice.returned += part
            self.amount -= part
        to_pots = ZERO
        for invoice in earlier:
            part = min(self.amount, worth[invoice.name], invoice.given)
            invoice.given -= part
            invoice.returned += part
            self.amount -= part
            to_pots += part
            if part:
                put_back(purse, invoice.name, part, now)
        return to_pots

    def _follow(self, invoices: Sequence[Issued]) -> None:
        """What an invoice was lessened by for other periods, the invoices of those had paid."""
        while True:
            lessening = {
                start
                for invoice in invoices
                if self.about & invoice.asked.keys()
                for start, amount in invoice.asked.items()
                if amount < 0
            }
            if lessening <= self.about:
                return
            self.about |= lessening


def put_back(purse: Purse, cause: str, amount: Fraction, now: datetime) -> None:
    """Have what ``cause`` used of given credit available again, the last to burn first."""
    given = [pot for pot in purse.pots.values() if pot.spent_on[cause] and not pot.paid]
    for pot in reversed(purse.order(given)):
        part = min(amount, pot.spent_on[cause])
        pot.move("used", "available", part, cause)
        amount -= part
    purse.fresh_until = now  # it may be more than the plan's share, and over


def bought_part(pots: Sequence[Pot], cause: str) -> Fraction:
    """What ``cause`` used of credit that was bought."""
    return sum((pot.spent_on[cause] for pot in pots if pot.paid), ZERO)
