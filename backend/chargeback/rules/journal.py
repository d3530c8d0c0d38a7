"""A closed month as one balanced journal entry: cost centers against clearing. Pure.

Each cost center's account is debited with what it is charged, and clearing credited with what that
cost; what is between the two is the margin's. Tax and what nobody bears are left where the
invoices were booked.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import date
from decimal import Decimal

from backend.accounting.rules.journals import Journal, JournalLine
from backend.chargeback.rules.documents import Entry
from backend.pricing.money import ZERO, exact_arithmetic
from backend_client.types.chargeback import JournalTerms


def journal(
    entries: Iterable[Entry], terms: JournalTerms, month: date, booked_on: date, currency: str
) -> Journal:
    """Return a month's entry. Its lines add up to zero; it has none if nothing is charged."""
    reference = f"CB-{month:%Y-%m-%d}"
    charged: defaultdict[str, Decimal] = defaultdict(Decimal)
    allocated = ZERO
    with exact_arithmetic():
        for entry in entries:
            if entry.path and not entry.is_tax:
                charged[entry.path[-1]] += entry.charged
                allocated += entry.cost
        text = f"Chargeback {month:%Y-%m}"
        lines = [
            JournalLine(terms.expense, code, amount, f"{text} {code}")
            for code, amount in sorted(charged.items())
            if amount
        ]
        whole = sum(charged.values(), ZERO)
        if allocated:
            lines.append(JournalLine(terms.clearing, None, -allocated, text))
        if whole != allocated:
            margin = JournalLine(terms.margin, None, allocated - whole, f"{text}, margin")
            lines.append(margin)
        return Journal(reference, booked_on, currency, terms.clearing, tuple(lines))


def account_fields(terms: JournalTerms) -> dict[str, str]:
    """Return the policy's field of each account, which errors name."""
    return {getattr(terms, name): f"journal.{name}" for name in ("expense", "clearing", "margin")}
