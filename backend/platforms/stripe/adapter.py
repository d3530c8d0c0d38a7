"""Stripe as a platform: invoices with our lines, payments, and usage by meter events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Literal

from pydantic import SecretStr

from backend.platforms.adapter import Attempt, Memory, Message, Rehearsal, RemoteFact, Verdict
from backend.platforms.documents import (
    CreditNoteDocument,
    Customer,
    InvoiceDocument,
    PlanDocument,
    RemoteCredit,
    RemoteInvoice,
    SavedMethod,
    TopUpDocument,
    UsageDelta,
)
from backend.platforms.errors import WebhookRefused
from backend.platforms.stripe import fits
from backend.platforms.stripe.calls import StripeCalls
from backend.platforms.stripe.credit_notes import push_credit_note
from backend.platforms.stripe.customers import StripeCustomers
from backend.platforms.stripe.events import message_from, read_facts, read_invoice
from backend.platforms.stripe.invoices import StripeInvoices
from backend.platforms.stripe.payments import StripePayments
from backend.platforms.stripe.plans import StripePlans
from backend.platforms.stripe.rehearsal import RehearsedCalls
from backend.platforms.stripe.signatures import why_refused
from backend.platforms.stripe.usage import StripeUsage
from backend_client.types.plans import PlanDefinition
from backend_client.types.platforms import PlatformMode


class Stripe:
    """An adapter: see ``backend.platforms.adapter``."""

    name = "stripe"
    draws_credit = False
    usage_grain: Literal["hour", "day"] = "day"

    def __init__(
        self,
        calls: StripeCalls,
        webhook_secrets: Sequence[SecretStr],
        shared: Memory,
        *,
        stream: bool = False,
    ) -> None:
        self.calls = calls
        self._secrets = [secret.get_secret_value().encode() for secret in webhook_secrets]
        self._customers = StripeCustomers(calls)
        self._invoices = StripeInvoices(calls, self._customers)
        self._payments = StripePayments(calls, self._customers)
        self._usage = StripeUsage(calls, stream=stream)
        self._plans = StripePlans(calls, shared)

    def refuses(self, mode: PlatformMode, starts_at: datetime) -> str | None:
        """Return nothing: Stripe takes invoices and usage, from any instant on."""
        return None

    def obstacles(self, plan: PlanDefinition, currency: str) -> list[str]:
        """Return what of a plan Stripe can't rate."""
        return fits.obstacles(plan, currency)

    async def ensure_customer(self, customer: Customer, attempt: Attempt) -> str:
        """Create the customer if it is not there, or bring it up to date; return its remote id."""
        return await self._customers.ensure(customer, attempt)

    async def push_invoice(self, invoice: InvoiceDocument, customer: str, attempt: Attempt) -> str:
        """Create an invoice with our lines, compare what it asks for, and finalize it."""
        return await self._invoices.push(invoice, customer, attempt)

    async def settle(
        self, invoice: InvoiceDocument, customer: str, remote_id: str, attempt: Attempt
    ) -> None:
        """Report what was paid elsewhere, as far as Stripe does not have it."""
        await self._invoices.settle(invoice, customer, remote_id, attempt)

    async def push_credit_note(self, note: CreditNoteDocument, attempt: Attempt) -> str:
        """Create a credit note; what was paid already of it is on the balance with us."""
        return await push_credit_note(self.calls, note, attempt)

    async def void(self, remote_id: str, attempt: Attempt) -> None:
        """Void an invoice, or delete it if it is a draft still."""
        await self._invoices.void(remote_id, attempt)

    async def write_off(self, remote_id: str, attempt: Attempt) -> None:
        """Mark an invoice as uncollectible."""
        await self._invoices.write_off(remote_id, attempt)

    async def charge_top_up(self, top_up: TopUpDocument, attempt: Attempt) -> str:
        """Charge the customer's saved method; raise ``Refused`` if it has none."""
        return await self._payments.charge_top_up(top_up, attempt)

    async def subscribe(
        self,
        plan: PlanDocument,
        customer: str,
        starts_at: datetime,
        ends: datetime,
        attempt: Attempt,
    ) -> str:
        """Make the plan's meters and prices if they are not there, and subscribe the customer."""
        return await self._plans.subscribe(plan, customer, starts_at, ends, attempt)

    async def unsubscribe(self, remote_id: str, ends_at: datetime, attempt: Attempt) -> None:
        """End a subscription."""
        await self._plans.unsubscribe(remote_id, ends_at, attempt)

    async def saved_methods(self, customer: Customer, attempt: Attempt) -> Sequence[SavedMethod]:
        """Return the customer's cards, mandates and the like."""
        return await self._payments.saved_methods(customer, attempt)

    async def top_up_page(self, top_up: TopUpDocument, back: str, attempt: Attempt) -> str:
        """Return the page of a Checkout session."""
        return await self._payments.top_up_page(top_up, back, attempt)

    async def method_page(self, customer: Customer, back: str, attempt: Attempt) -> str:
        """Return the page of a Checkout session that saves a method for later charges."""
        return await self._payments.method_page(customer, back, attempt)

    async def customer_page(self, customer: Customer, back: str, attempt: Attempt) -> str:
        """Return the page of a session of Stripe's customer portal."""
        return await self._payments.customer_page(customer, back, attempt)

    async def push_usage(self, deltas: Sequence[UsageDelta]) -> list[Verdict]:
        """Send deltas as meter events."""
        return await self._usage.push(deltas)

    async def read_usage(
        self, customer: str, meter: str, start: datetime, end: datetime
    ) -> dict[datetime, Decimal]:
        """Return a meter's daily summaries."""
        return await self._usage.read(customer, meter, start, end)

    async def read_deltas(
        self, customer: str, meter: str, start: datetime, end: datetime
    ) -> frozenset[str] | None:
        """Return None: Stripe tells sums alone, and rejections by webhook."""
        return None

    async def poll(self, tenant_id: str, customer: str) -> Sequence[RemoteFact]:
        """Return nothing: Stripe's webhooks tell, and what is compared each day."""
        return ()

    async def read_credit(
        self, tenant_id: str, currency: str, customer: str | None, since: datetime
    ) -> RemoteCredit:
        """Return nothing: credit is the wallet's alone, and Stripe is told what it paid."""
        return RemoteCredit()

    async def read_invoice(self, remote_id: str) -> RemoteInvoice:
        """Return an invoice as it stands on Stripe, with what Stripe collected for it."""
        return await read_invoice(self.calls, remote_id)

    def verify(self, headers: Mapping[str, str], raw: bytes, now: datetime) -> Message:
        """Return what a webhook is about; raise ``WebhookRefused``."""
        if why := why_refused(headers.get("stripe-signature"), raw, self._secrets, now):
            raise WebhookRefused(why)
        return message_from(raw)

    async def read(self, message: Message) -> Sequence[RemoteFact]:
        """Fetch what a webhook is about."""
        return await read_facts(self.calls, message)

    def rehearsal(self, shared: Memory) -> Rehearsal:
        """Return an adapter that notes what it would send."""
        calls = RehearsedCalls(self.calls)
        return Rehearsal(Stripe(calls, (), shared), calls.requests)

    async def close(self) -> None:
        """Close the connections."""
        await self.calls.close()
