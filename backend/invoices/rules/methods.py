"""How Farebox itself pays invoices: the methods of its payments."""

from __future__ import annotations

from typing import Final

BALANCE: Final = "balance"
"""The method of payments from a customer's balance or, if negative, onto it."""

CREDIT: Final = "credit"
"""The method of payments from the wallet: credit that the customer bought or was given."""

TOP_UP: Final = "top_up"
"""The method of the payment of a top-up, on its document."""

OWN_METHODS: Final = frozenset({BALANCE, CREDIT, TOP_UP})
"""Methods of payments that Farebox itself makes when it issues an invoice."""
