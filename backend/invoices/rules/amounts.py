"""Amounts of invoices in the wire's words."""

from __future__ import annotations

from decimal import Decimal

from backend.pricing.money import round_to_minor_unit
from backend_client.types.common import Money


def money(amount: Decimal, currency: str) -> Money:
    """Return an amount with all the decimals of its currency, however it was written down."""
    # Adding zero takes the sign off one, which a decimal can have
    return Money(amount=round_to_minor_unit(amount, currency) + Decimal(0), currency=currency)
