"""All that the stand-in knows, and who answers which request."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from tests.support.stripe.credit_notes import CreditNotes
from tests.support.stripe.invoices import Invoices
from tests.support.stripe.objects import Object, StripeError, page
from tests.support.stripe.plans import Plans


@dataclass
class Books(Invoices, CreditNotes, Plans):
    """Answers a request by the method that is named after its path."""

    def do(
        self, method: str, template: str, ids: dict[str, str], values: Object, now: datetime
    ) -> Object:
        """Answer a request that is as described; raises ``StripeError``."""
        path = template.removeprefix("/v1/").removeprefix("/v2/")
        name = "_".join(part for part in path.split("/") if not part.startswith("{"))
        if ids and method == "GET" and path.endswith("}"):
            return self.find(next(iter(ids.values())))
        handler = getattr(self, f"_{method.lower()}_{name.replace('.', '_')}", None)
        if handler is None and method == "GET":
            return self._listed(name, values)
        if handler is None:
            raise StripeError(f"The stand-in does not know {method} {template}", status=404)
        answer: Object = handler(values, now, *ids.values())
        return answer

    def _listed(self, name: str, values: Object) -> Object:
        kinds = {
            "invoices": "invoice",
            "credit_notes": "credit_note",
            "refunds": "refund",
            "products": "product",
            "prices": "price",
            "subscriptions": "subscription",
            "billing_meters": "billing.meter",
            "payment_methods": "payment_method",
        }
        filters = {
            key: value
            for key, value in values.items()
            if key in {"customer", "invoice", "charge", "product"}
        }
        since = (values.get("created") or {}).get("gte", 0)
        return page(
            [
                item
                for item in reversed(self.all(kinds[name]))
                if item["created"] >= since
                and all(item.get(key) == value for key, value in filters.items())
            ],
            values,
        )
