"""What Amberflo says of its invoices and orders, in our words. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from backend.platforms.adapter import ToppedUp
from backend.platforms.amberflo.fits import CURRENCY
from backend.platforms.amberflo.numbers import from_number
from backend.platforms.documents import RatedInvoice, RemoteInvoice

_LOCKED: Final = "price_locked"
_COLLECTED: Final = frozenset({"settled", "not_needed"})
_FAILURES: Final = {
    "failed": "the payment failed",
    "requires_action": "the customer has to act on the payment",
}
_KEY_OF: Final = {
    "customer_id": "customerId",
    "product_id": "productId",
    "product_plan_id": "productPlanId",
    "year": "year",
    "month": "month",
    "day": "day",
}


def rated_invoice(document: Mapping[str, Any]) -> RatedInvoice:
    """Return an invoice: what it comes to, what credit paid of it, and whether it may change."""
    bill = document["totalBill"]
    payment = _word(document, "paymentStatus")
    return RatedInvoice(
        remote_id=str(document["invoiceUri"]),
        start=_instant(document["invoiceStartTimeInSeconds"]),
        end=_instant(document["invoiceEndTimeInSeconds"]),
        currency=CURRENCY,
        total=from_number(bill["totalPriceBeforePrepaid"]),
        prepaid=from_number(bill.get("prepaid")),
        final=_word(document, "invoicePriceStatus") == _LOCKED,
        status=_word(document, "invoicePriceStatus"),
        payment=payment,
        failure=_FAILURES.get(payment),
    )


def remote_invoice(document: Mapping[str, Any]) -> RemoteInvoice:
    """Return an invoice as one that is paid, or is to be."""
    total = from_number(document["totalBill"]["totalPrice"])
    payment = _word(document, "paymentStatus")
    return RemoteInvoice(
        remote_id=str(document["invoiceUri"]),
        status=_word(document, "invoicePriceStatus"),
        currency=CURRENCY,
        number=None,
        total=total,
        tax=from_number(0),
        remaining=from_number(0) if payment in _COLLECTED else total,
        failure=_FAILURES.get(payment),
    )


def invoice_query(remote_id: str) -> dict[str, str]:
    """Return how an invoice is asked for, from its address there (``invoiceUri``)."""
    parts = dict(part.split("=", 1) for part in remote_id.split("/") if "=" in part)
    query = {wanted: parts[part] for part, wanted in _KEY_OF.items() if part in parts}
    for part in ("year", "month", "day"):
        if part in query:
            query[part] = str(int(query[part]))
    return query | {"fromCache": "true", "withPaymentStatus": "true"}


def order_outcome(tenant_id: str, order: Mapping[str, Any]) -> ToppedUp | None:
    """Return how the payment of an order of credit ended; None while it has not."""
    payment = _word(order, "paymentStatus")
    if payment not in _COLLECTED and payment != "failed":
        return None
    top_up_id = str(order["id"])
    reference = str(order.get("paymentId") or top_up_id)
    return ToppedUp(tenant_id, top_up_id, payment in _COLLECTED, reference)


def _word(document: Mapping[str, Any], name: str) -> str:
    """Return a state in small letters: Amberflo's clients know it in either case."""
    return str(document.get(name) or "unknown").lower()


def _instant(seconds: int) -> datetime:
    return datetime.fromtimestamp(int(seconds), UTC)
