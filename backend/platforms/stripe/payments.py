"""Payments on Stripe: charges of a saved method, and the pages on which customers pay."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from backend.platforms.adapter import Attempt, Refused
from backend.platforms.documents import Customer, SavedMethod, TopUpDocument
from backend.platforms.stripe.calls import StripeCalls
from backend.platforms.stripe.checkout import charge_form, checkout_form
from backend.platforms.stripe.customers import StripeCustomers
from backend.platforms.stripe.forms import Form
from backend.platforms.stripe.mapping import saved_method


@dataclass(frozen=True, slots=True)
class StripePayments:
    """Charges methods, and opens pages."""

    calls: StripeCalls
    customers: StripeCustomers

    async def charge_top_up(self, top_up: TopUpDocument, attempt: Attempt) -> str:
        """Charge the customer's saved method; raise ``Refused`` if it has none."""
        customer = await self.customers.ensure(top_up.customer, attempt)
        method = await self.customers.saved_method(customer)
        if method is None:
            raise Refused("The customer has saved no payment method.", "no_payment_method")
        form, key = charge_form(top_up, customer, method), attempt.key("top-up", top_up.id)
        return str((await self.calls.post("/v1/payment_intents", form, key))["id"])

    async def saved_methods(self, customer: Customer, attempt: Attempt) -> Sequence[SavedMethod]:
        """Return the customer's payment methods, the chosen one first."""
        remote_id = await attempt.memory.recall("customer", customer.currency)
        if remote_id is None:
            return ()
        chosen = await self.customers.saved_method(remote_id)
        methods = self.calls.all("/v1/payment_methods", {"customer": remote_id})
        saved = [saved_method(method, chosen) async for method in methods]
        return sorted(saved, key=lambda method: not method.chosen)

    async def top_up_page(self, top_up: TopUpDocument, back: str, attempt: Attempt) -> str:
        """Return the page of a Checkout session; the one before, while that is open."""
        before = await attempt.memory.recall("checkout", top_up.id)
        if before is not None:
            session = await self.calls.get(f"/v1/checkout/sessions/{before}")
            if session["status"] == "open":
                return str(session["url"])
        customer = await self.customers.ensure(top_up.customer, attempt)
        # A session that has ended is part of the next one's key: two clicks make one session
        key = attempt.key("checkout", top_up.id, before or "first")
        form = checkout_form(top_up, customer, back)
        session = await self.calls.post("/v1/checkout/sessions", form, key)
        await attempt.memory.remember("checkout", top_up.id, str(session["id"]))
        return str(session["url"])

    async def method_page(self, customer: Customer, back: str, attempt: Attempt) -> str:
        """Return the page of a Checkout session that saves a method for later charges."""
        form: Form = {
            "mode": "setup",
            "customer": await self.customers.ensure(customer, attempt),
            "currency": customer.currency.lower(),
            "success_url": back,
            "cancel_url": back,
            "metadata": {"farebox_tenant": customer.tenant_id},
        }
        return str((await self.calls.post("/v1/checkout/sessions", form, None))["url"])

    async def customer_page(self, customer: Customer, back: str, attempt: Attempt) -> str:
        """Return the page of a session of Stripe's customer portal."""
        form: Form = {
            "customer": await self.customers.ensure(customer, attempt),
            "return_url": back,
        }
        return str((await self.calls.post("/v1/billing_portal/sessions", form, None))["url"])
