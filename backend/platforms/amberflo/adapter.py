"""Amberflo as a platform: it rates usage, and writes invoices of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final, Literal

from pydantic import SecretStr

from backend.platforms.adapter import (
    Attempt,
    Memory,
    Message,
    Refused,
    Rehearsal,
    RemoteFact,
    Verdict,
)
from backend.platforms.amberflo import fits
from backend.platforms.amberflo.calls import AmberfloCalls
from backend.platforms.amberflo.credit import AmberfloCredit
from backend.platforms.amberflo.customers import ensure_customer
from backend.platforms.amberflo.invoices import invoice_that_is_ready, invoices_of, read_invoice
from backend.platforms.amberflo.plans import AmberfloPlans
from backend.platforms.amberflo.rehearsal import RehearsedCalls
from backend.platforms.amberflo.usage import AmberfloUsage
from backend.platforms.amberflo.webhooks import message_from
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
from backend_client.types.plans import PlanDefinition
from backend_client.types.platforms import PlatformMode

_NO_DOCUMENTS: Final = "Amberflo takes no documents of ours: it writes its own invoices."


class Amberflo:
    """An adapter: see ``backend.platforms.adapter``."""

    name = "amberflo"
    draws_credit = True
    usage_grain: Literal["hour", "day"] = "hour"

    def __init__(
        self, calls: AmberfloCalls, webhook_secrets: Sequence[SecretStr], shared: Memory
    ) -> None:
        self.calls = calls
        self._secrets = [secret.get_secret_value().encode() for secret in webhook_secrets]
        self._plans = AmberfloPlans(calls, shared)
        self._usage = AmberfloUsage(calls)
        self._credit = AmberfloCredit(calls)

    def refuses(self, mode: PlatformMode, starts_at: datetime) -> str | None:
        """Return why no tenant can be on it so: it takes no finished invoices."""
        return fits.why_refused(mode, starts_at)

    def obstacles(self, plan: PlanDefinition, currency: str) -> list[str]:
        """Return what of a plan Amberflo can't rate."""
        return fits.obstacles(plan, currency)

    async def ensure_customer(self, customer: Customer, attempt: Attempt) -> str:
        """Create the customer if it is not there, or bring it up to date; return its remote id."""
        return await ensure_customer(self.calls, customer, attempt)

    async def push_invoice(self, invoice: InvoiceDocument, customer: str, attempt: Attempt) -> str:
        """Refuse: it takes no invoices."""
        raise Refused(_NO_DOCUMENTS)

    async def push_credit_note(self, note: CreditNoteDocument, attempt: Attempt) -> str:
        """Refuse: it takes no credit notes."""
        raise Refused(_NO_DOCUMENTS)

    async def settle(
        self, invoice: InvoiceDocument, customer: str, remote_id: str, attempt: Attempt
    ) -> None:
        """Refuse: it has no invoices of ours."""
        raise Refused(_NO_DOCUMENTS)

    async def void(self, remote_id: str, attempt: Attempt) -> None:
        """Refuse: it has no invoices of ours."""
        raise Refused(_NO_DOCUMENTS)

    async def write_off(self, remote_id: str, attempt: Attempt) -> None:
        """Refuse: it has no invoices of ours."""
        raise Refused(_NO_DOCUMENTS)

    async def charge_top_up(self, top_up: TopUpDocument, attempt: Attempt) -> str:
        """Order credit, which Amberflo collects; return the order's id."""
        return await self._credit.order(top_up, attempt)

    async def subscribe(
        self,
        plan: PlanDocument,
        customer: str,
        starts_at: datetime,
        ends: datetime,
        attempt: Attempt,
    ) -> str:
        """Make the plan and its meters if they are not there, and assign the customer to it."""
        return await self._plans.subscribe(plan, customer, starts_at, attempt)

    async def unsubscribe(self, remote_id: str, ends_at: datetime, attempt: Attempt) -> None:
        """Let an assignment end."""
        await self._plans.unsubscribe(remote_id, ends_at)

    async def saved_methods(self, customer: Customer, attempt: Attempt) -> Sequence[SavedMethod]:
        """Return nothing: Amberflo has others charge, and tells no methods."""
        return ()

    async def top_up_page(self, top_up: TopUpDocument, back: str, attempt: Attempt) -> str:
        """Order credit, and return the customer's pages, where it is paid."""
        await self._credit.order(top_up, attempt)
        return await self._credit.page(top_up.customer, back, attempt)

    async def method_page(self, customer: Customer, back: str, attempt: Attempt) -> str:
        """Return the customer's pages, where a payment method is saved."""
        return await self._credit.page(customer, back, attempt)

    async def customer_page(self, customer: Customer, back: str, attempt: Attempt) -> str:
        """Return the customer's pages."""
        return await self._credit.page(customer, back, attempt)

    async def push_usage(self, deltas: Sequence[UsageDelta]) -> list[Verdict]:
        """Send deltas as meter events."""
        return await self._usage.push(deltas)

    async def read_usage(
        self, customer: str, meter: str, start: datetime, end: datetime
    ) -> dict[datetime, Decimal]:
        """Return a meter's hourly sums."""
        return await self._usage.read(customer, meter, start, end)

    async def read_deltas(
        self, customer: str, meter: str, start: datetime, end: datetime
    ) -> frozenset[str] | None:
        """Return which events it has; None where it lists none."""
        return await self._usage.read_identifiers(customer, meter, start, end)

    async def read_credit(
        self, tenant_id: str, currency: str, customer: str | None, since: datetime
    ) -> RemoteCredit:
        """Return nothing: Amberflo's credit is the wallet's, ordered there by us."""
        return RemoteCredit()

    async def read_invoice(self, remote_id: str) -> RemoteInvoice:
        """Return an invoice as it stands on Amberflo."""
        return await read_invoice(self.calls, remote_id)

    async def poll(self, tenant_id: str, customer: str) -> Sequence[RemoteFact]:
        """Return the customer's invoices as they stand, and the orders whose payment ended."""
        outcomes = await self._credit.outcomes(tenant_id, customer)
        return [*outcomes, *await invoices_of(self.calls, customer)]

    def verify(self, headers: Mapping[str, str], raw: bytes, now: datetime) -> Message:
        """Return what a webhook is about; raise ``WebhookRefused``."""
        return message_from(headers, raw, self._secrets)

    async def read(self, message: Message) -> Sequence[RemoteFact]:
        """Fetch the invoice that a webhook is about."""
        return await invoice_that_is_ready(self.calls, message.object_id)

    def rehearsal(self, shared: Memory) -> Rehearsal:
        """Return an adapter that notes what it would send."""
        calls = RehearsedCalls(self.calls)
        return Rehearsal(Amberflo(calls, (), shared), calls.requests)

    async def close(self) -> None:
        """Close the connections."""
        await self.calls.close()
