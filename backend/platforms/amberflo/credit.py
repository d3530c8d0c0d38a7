"""Credit bought in advance: orders there, and the customer's pages, where they are paid."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from backend.platforms.adapter import Attempt, ToppedUp
from backend.platforms.amberflo.calls import AmberfloCalls
from backend.platforms.amberflo.customers import ensure_customer
from backend.platforms.amberflo.mapping import PRODUCT, order_payload, sessions_payload
from backend.platforms.amberflo.rated import order_outcome
from backend.platforms.documents import Customer, TopUpDocument

_ORDERS: Final = "/payments/pricing/amberflo/customer-prepaid"
_VISIT: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class AmberfloCredit:
    """Orders credit under a top-up's own id, once, and reads how its payment ended."""

    calls: AmberfloCalls

    async def order(self, top_up: TopUpDocument, attempt: Attempt) -> str:
        """Order what is not ordered; return the order's id."""
        customer = await ensure_customer(self.calls, top_up.customer, attempt)
        if await attempt.memory.recall("prepaid_order", top_up.id) is None:
            ordered = {str(order["id"]) for order in await self._orders(customer)}
            if top_up.id not in ordered:
                at = attempt.since or datetime.now(UTC)
                await self.calls.post(_ORDERS, order_payload(top_up, customer, at))
            await attempt.memory.remember("prepaid_order", top_up.id, top_up.id)
        return top_up.id

    async def outcomes(self, tenant_id: str, customer: str) -> list[ToppedUp]:
        """Return how the payments of a customer's orders ended, as far as they have."""
        orders = await self._orders(customer)
        outcomes = (order_outcome(tenant_id, order) for order in orders)
        return [outcome for outcome in outcomes if outcome is not None]

    async def page(self, customer: Customer, back: str, attempt: Attempt) -> str:
        """Return the customer's pages: usage, invoices, credit and payment methods."""
        remote_id = await ensure_customer(self.calls, customer, attempt)
        payload = sessions_payload(remote_id, back, datetime.now(UTC) + _VISIT)
        session = await self.calls.post("/session", payload)
        return str(session["url"])

    async def _orders(self, customer: str) -> list[dict[str, Any]]:
        query = {"CustomerId": customer, "ProductId": PRODUCT}
        return await self.calls.get(f"{_ORDERS}/list", query) or []
