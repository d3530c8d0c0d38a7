"""Money as Stripe counts it: in whole minor units, with a few rules of its own. Pure.

https://docs.stripe.com/currencies
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from backend.platforms.adapter import Refused
from backend.pricing.money import ZERO, minor_digits
from backend_client.types.common import plain

_DIGITS: Final = {"ISK": 2, "UGX": 2, "MGA": 0}
"""Where Stripe counts in other units than ISO 4217."""


def to_minor(amount: Decimal, currency: str) -> int:
    """Return an amount in Stripe's unit; raise ``Refused`` if it is no whole number of them."""
    scaled = amount.scaleb(stripe_digits(currency))
    if scaled != scaled.to_integral_value():
        raise Refused(f"Stripe can't express {plain(amount)} {currency}.", "amount_not_payable")
    return int(scaled)


def from_minor(amount: int, currency: str) -> Decimal:
    """Return Stripe's whole units as an amount with the currency's decimals."""
    return Decimal(amount).scaleb(-stripe_digits(currency)) + ZERO


def check_collectable(due: Decimal, currency: str) -> None:
    """Raise ``Refused`` if Stripe can't charge an amount: of thousandths it takes tens alone."""
    if stripe_digits(currency) == 3 and to_minor(due, currency) % 10:
        raise Refused(
            f"Stripe collects {currency} in steps of 0.010, and {plain(due)} is due.",
            "amount_not_payable",
        )


def stripe_digits(currency: str) -> int:
    """Return with how many decimals Stripe counts a currency."""
    return _DIGITS.get(currency, minor_digits(currency))
