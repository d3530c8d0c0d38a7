"""Why a customer's calls are refused, or its tax id is not looked up."""

from __future__ import annotations

from backend.errors import Conflict, PaymentRequired


class PaymentOverdue(PaymentRequired):
    """An invoice is long overdue, so calls are suspended until it is paid."""

    code, title = "payment_overdue", "Payment is overdue"

    def __init__(self) -> None:
        super().__init__("An invoice is long overdue, so calls are suspended until it is paid.")


class TaxIdNotLookedUp(Conflict):
    """No service is set that knows VAT ids, or the customer has none."""

    code, title = "tax_id_not_looked_up", "The tax id can't be looked up"
