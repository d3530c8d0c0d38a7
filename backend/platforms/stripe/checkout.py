"""The parameters of payments for credit: Stripe's page, and a charge without the customer. Pure."""

from __future__ import annotations

from backend.platforms.documents import TopUpDocument
from backend.platforms.stripe.amounts import to_minor
from backend.platforms.stripe.forms import Form


def checkout_form(top_up: TopUpDocument, remote_customer: str, back: str) -> Form:
    """Return the parameters of a Checkout session that pays for credit.

    The method is saved, so that the wallet's rule can buy more. Raises ``Refused`` for an amount
    that Stripe can't express.
    """
    product = {"name": "Credit"}
    if top_up.taxed:
        product["description"] = "Tax is taken out of the amount, and the rest is the credit."
    return {
        "mode": "payment",
        "customer": remote_customer,
        "line_items": [
            {
                "quantity": 1,
                "price_data": {
                    **_amount(top_up, "unit_amount"),
                    "product_data": product,
                },
            }
        ],
        "payment_intent_data": {"setup_future_usage": "off_session", "metadata": _own(top_up)},
        "metadata": _own(top_up),
        "success_url": back,
        "cancel_url": back,
    }


def charge_form(top_up: TopUpDocument, remote_customer: str, method: str) -> Form:
    """Return the parameters of a payment by a saved method; raise ``Refused`` as above."""
    return {
        **_amount(top_up, "amount"),
        "customer": remote_customer,
        "payment_method": method,
        "off_session": True,
        "confirm": True,
        "description": "Credit",
        "metadata": {**_own(top_up), "farebox_automatic": "true"},
    }


def _amount(top_up: TopUpDocument, name: str) -> Form:
    currency = top_up.customer.currency
    return {"currency": currency.lower(), name: to_minor(top_up.amount, currency)}


def _own(top_up: TopUpDocument) -> dict[str, str]:
    """Return by what its payment is known again."""
    return {"farebox_top_up": top_up.id, "farebox_tenant": top_up.customer.tenant_id}
