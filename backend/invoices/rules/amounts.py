"""Amounts of invoices as the API's type."""

from __future__ import annotations

from decimal import Decimal

from backend.pricing.money import round_to_minor_unit
from backend_client.types.common import Money


def money(amount: Decimal, currency: str) -> Money:
    """Return an amount with all the decimals of its currency, however many it was given with."""
    # Adding zero turns a decimal's -0 into 0
    return Money(amount=round_to_minor_unit(amount, currency) + Decimal(0), currency=currency)
