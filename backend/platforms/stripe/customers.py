"""Customers on Stripe: one a tenant and currency, kept as it is named here."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from backend.platforms.adapter import Attempt
from backend.platforms.documents import Customer
from backend.platforms.stripe.calls import StripeCalls
from backend.platforms.stripe.forms import encode
from backend.platforms.stripe.mapping import customer_form


@dataclass(frozen=True, slots=True)
class StripeCustomers:
    """Makes customers, and keeps their details up to date."""

    calls: StripeCalls

    async def ensure(self, customer: Customer, attempt: Attempt) -> str:
        """Create the customer if it is not there, or bring it up to date; return its remote id."""
        form, currency = customer_form(customer), customer.currency
        details = hashlib.sha256(encode(form).encode()).hexdigest()
        remote_id = await attempt.memory.recall("customer", currency)
        if remote_id is None:
            if attempt.look_up:
                remote_id = await self._find(customer)
            if remote_id is None:
                key = attempt.key("customer", customer.tenant_id, currency)
                remote_id = str((await self.calls.post("/v1/customers", form, key))["id"])
            await attempt.memory.remember("customer", currency, remote_id)
        elif details != await attempt.memory.recall("customer_details", currency):
            await self.calls.post(f"/v1/customers/{remote_id}", form, None)
        else:
            return remote_id
        await attempt.memory.remember("customer_details", currency, details)
        return remote_id

    async def saved_method(self, customer: str) -> str | None:
        """Return the payment method that the customer chose for invoices."""
        remote = await self.calls.get(f"/v1/customers/{customer}")
        chosen = (remote.get("invoice_settings") or {}).get("default_payment_method")
        return str(chosen) if chosen else None

    async def _find(self, customer: Customer) -> str | None:
        """Look a customer up: Stripe's search lags by minutes, and this comes after hours."""
        query = (
            f"metadata['farebox_tenant']:'{customer.tenant_id}'"
            f" AND metadata['farebox_currency']:'{customer.currency}'"
        )
        matches = await self.calls.get("/v1/customers/search", {"query": query, "limit": 1})
        return str(matches["data"][0]["id"]) if matches["data"] else None
