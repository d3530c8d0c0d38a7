"""The states of an invoice, and what is still to be paid of it. Pure.

draft -> finalized -> paid
                   -> void            (asks for nothing; may be issued again)
                   -> uncollectible   (still due, but not expected; may be paid after all)
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from backend.invoices.errors import (
    InvoiceAlreadyIssued,
    InvoiceAlreadyPaid,
    InvoiceIsDraft,
    InvoiceVoid,
)
from backend.pricing.money import ZERO
from backend_client.types.invoices import InvoiceState

_MAY_BECOME: Final = {
    InvoiceState.DRAFT: {InvoiceState.FINALIZED, InvoiceState.PAID},
    InvoiceState.FINALIZED: {InvoiceState.PAID, InvoiceState.VOID, InvoiceState.UNCOLLECTIBLE},
    InvoiceState.UNCOLLECTIBLE: {InvoiceState.PAID, InvoiceState.VOID},
    InvoiceState.PAID: set(),
    InvoiceState.VOID: set(),
}

_WHY_NOT: Final = {
    InvoiceState.DRAFT: (InvoiceIsDraft, "it is a draft; finalize it first"),
    InvoiceState.PAID: (InvoiceAlreadyPaid, "it is paid; a credit note returns money"),
    InvoiceState.VOID: (InvoiceVoid, "it is void"),
    InvoiceState.FINALIZED: (InvoiceAlreadyIssued, "it is finalized"),
    InvoiceState.UNCOLLECTIBLE: (InvoiceAlreadyIssued, "it is uncollectible"),
}


def check_move(state: InvoiceState, wanted: InvoiceState) -> None:
    """Raise ``Conflict`` unless an invoice in ``state`` may go to ``wanted``."""
    if wanted not in _MAY_BECOME[state]:
        refusal, why = _WHY_NOT[state]
        raise refusal(f"This invoice can't become {wanted.value}: {why}.")


@dataclass(frozen=True, slots=True)
class Balance:
    """What an invoice asks for, and what was paid and credited, in one currency.

    All are before tax or all after it. A negative ``total`` is added to the customer's balance.
    """

    total: Decimal
    paid: Decimal = ZERO
    credited: Decimal = ZERO

    @property
    def due(self) -> Decimal:
        """What is still to be paid; never below zero."""
        return max(self.total - self.paid - self.credited, ZERO)

    @property
    def settled(self) -> bool:
        """Return whether nothing is left to pay or to return."""
        return self.total - self.paid - self.credited == 0


def due(state: InvoiceState, balance: Balance) -> Decimal:
    """Return what is to be paid on an invoice in ``state``."""
    return ZERO if state in {InvoiceState.DRAFT, InvoiceState.VOID} else balance.due


def due_date(issued_at: datetime, net_days: int) -> datetime:
    """Return when an invoice is due under payment terms of ``net_days``."""
    return issued_at + timedelta(days=net_days)
