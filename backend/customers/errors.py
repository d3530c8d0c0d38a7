"""Why a customer's calls are refused, whatever they are."""

from __future__ import annotations

from backend.errors import PaymentRequired


class PaymentOverdue(PaymentRequired):
    """An invoice is long overdue, so calls are suspended until it is paid."""

    code, title = "payment_overdue", "Payment is overdue"

    def __init__(self) -> None:
        super().__init__("An invoice is long overdue, so calls are suspended until it is paid.")
