"""Orb as a platform: invoices with our lines, payments, and usage by events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Literal

from pydantic import SecretStr

from backend.platforms.adapter import (
    Attempt,
    Memory,
    Message,
    Rehearsal,
    RemoteFact,
    Verdict,
)
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
from backend.platforms.orb import fits
from backend.platforms.orb.calls import OrbCalls
from backend.platforms.orb.catalog import OrbCatalog
from backend.platforms.orb.credit import read_credit
from backend.platforms.orb.customers import ensure_customer
from backend.platforms.orb.invoices import OrbInvoices
from backend.platforms.orb.plans import OrbPlans
from backend.platforms.orb.rehearsal import RehearsedCalls
from backend.platforms.orb.signatures import why_refused
from backend.platforms.orb.top_ups import OrbTopUps
from backend.platforms.orb.usage import OrbUsage
from backend.platforms.orb.webhooks import (
    lately_invoiced,
    message_from,
    read_facts,
    read_invoice,
)
from backend_client.types.plans import PlanDefinition
from backend_client.types.platforms import PlatformMode

_POLL_EVERY = timedelta(hours=6)


class Orb:
    """An adapter: see ``backend.platforms.adapter``. ``grace`` is the account's grace period."""

    name = "orb"
    draws_credit = False
    usage_grain: Literal["hour", "day"] = "hour"

    def __init__(
        self,
        calls: OrbCalls,
        webhook_secrets: Sequence[SecretStr],
        shared: Memory,
        *,
        grace: timedelta,
    ) -> None:
        self.calls = calls
        self._secrets = [secret.get_secret_value().encode() for secret in webhook_secrets]
        self._grace = grace
        self._polled: dict[str, datetime] = {}
        catalog = OrbCatalog(calls, shared)
        self._invoices = OrbInvoices(calls, catalog)
        self._plans = OrbPlans(calls, catalog)
        self._top_ups = OrbTopUps(calls, catalog, self._invoices)
        self._usage = OrbUsage(calls, catalog, grace)

    def refuses(self, mode: PlatformMode, starts_at: datetime) -> str | None:
        """Return nothing: Orb takes invoices and usage, from any instant on."""
        return None

    def obstacles(self, plan: PlanDefinition, currency: str) -> list[str]:
        """Return what of a plan Orb can't rate."""
        return fits.obstacles(plan, currency)

    async def ensure_customer(self, customer: Customer, attempt: Attempt) -> str:
        """Create the customer if it is not there, or bring it up to date; return its remote id."""
        return await ensure_customer(self.calls, customer, attempt)

    async def push_invoice(self, invoice: InvoiceDocument, customer: str, attempt: Attempt) -> str:
        """Create an invoice with our lines, compare what it asks for, and issue it."""
        return await self._invoices.push(invoice, customer, attempt)

    async def settle(
        self, invoice: InvoiceDocument, customer: str, remote_id: str, attempt: Attempt
    ) -> str | None:
        """Mark an invoice as paid that was paid elsewhere, once all of it is."""
        return await self._invoices.settle(invoice, remote_id)

    async def push_credit_note(self, note: CreditNoteDocument, attempt: Attempt) -> str | None:
        """Create a credit note on what Orb still asks for."""
        return await self._invoices.push_credit_note(note, attempt)

    async def void(self, remote_id: str, attempt: Attempt) -> None:
        """Void an invoice."""
        await self._invoices.void(remote_id)

    async def write_off(self, remote_id: str, attempt: Attempt) -> None:
        """Void an invoice: Orb can't mark one as uncollectible."""
        await self._invoices.write_off(remote_id)

    async def charge_top_up(self, top_up: TopUpDocument, attempt: Attempt) -> str:
        """Charge the customer's saved method; raise ``Refused`` if it has none."""
        return await self._top_ups.charge(top_up, attempt)

    async def subscribe(
        self,
        plan: PlanDocument,
        customer: str,
        starts_at: datetime,
        ends: datetime,
        attempt: Attempt,
    ) -> str:
        """Make the plan's metrics and prices if they are not there, and subscribe the customer."""
        return await self._plans.subscribe(plan, customer, starts_at, ends, attempt)

    async def unsubscribe(self, remote_id: str, ends_at: datetime, attempt: Attempt) -> None:
        """End a subscription where its period ends."""
        await self._plans.unsubscribe(remote_id, ends_at)

    async def saved_methods(self, customer: Customer, attempt: Attempt) -> Sequence[SavedMethod]:
        """Return the kind of the method that invoices are charged to: Orb tells no more."""
        remote_customer = await self.ensure_customer(customer, attempt)
        remote = await self.calls.get(f"/customers/{remote_customer}")
        method = remote.get("default_payment_method")
        if method is None:
            return ()
        kind = str(method["payment_method_type"])
        return (SavedMethod(kind, kind.replace("_", " ").capitalize(), None, chosen=True),)

    async def top_up_page(self, top_up: TopUpDocument, back: str, attempt: Attempt) -> str:
        """Return the page of a top-up's invoice, which leads nowhere else."""
        return await self._top_ups.page(top_up, attempt)

    async def method_page(self, customer: Customer, back: str, attempt: Attempt) -> str:
        """Return Orb's pages of the customer, where a method is saved too."""
        return await self.customer_page(customer, back, attempt)

    async def customer_page(self, customer: Customer, back: str, attempt: Attempt) -> str:
        """Return Orb's pages of the customer, which are open for an hour."""
        remote_customer = await self.ensure_customer(customer, attempt)
        session = {"invalidate_existing": False}
        path = f"/customers/{remote_customer}/portal_sessions"
        return str((await self.calls.post(path, session))["url"])

    async def push_usage(self, deltas: Sequence[UsageDelta]) -> list[Verdict]:
        """Send deltas as events, changes of events, or backfills."""
        return await self._usage.push(deltas)

    async def read_usage(
        self, customer: str, meter: str, start: datetime, end: datetime
    ) -> dict[datetime, Decimal]:
        """Return a metric's hourly sums."""
        return await self._usage.read(customer, meter, start, end)

    async def read_deltas(
        self, customer: str, meter: str, start: datetime, end: datetime
    ) -> frozenset[str] | None:
        """Return None: Orb finds no events that were amended, so it can't tell each."""
        return None

    async def read_credit(
        self, tenant_id: str, currency: str, customer: str | None, since: datetime
    ) -> RemoteCredit:
        """Return what Orb's credit ledgers hold: we put nothing into them."""
        return await read_credit(self.calls, tenant_id, currency, customer, since)

    async def read_invoice(self, remote_id: str) -> RemoteInvoice:
        """Return an invoice as it stands on Orb, with what Orb brought in for it."""
        return await read_invoice(self.calls, remote_id)

    async def poll(self, tenant_id: str, customer: str) -> Sequence[RemoteFact]:
        """Return the invoices that Orb wrote lately, a few times a day: a webhook may be lost."""
        now = datetime.now(UTC)
        if now - self._polled.get(customer, now - _POLL_EVERY) < _POLL_EVERY:
            return ()
        self._polled[customer] = now
        return await lately_invoiced(self.calls, customer)

    def verify(self, headers: Mapping[str, str], raw: bytes, now: datetime) -> Message:
        """Return what a webhook is about; raise ``WebhookRefused``."""
        if why := why_refused(headers, raw, self._secrets, now):
            raise WebhookRefused(why)
        return message_from(raw)

    async def read(self, message: Message) -> Sequence[RemoteFact]:
        """Fetch what a webhook is about."""
        return await read_facts(self.calls, message)

    def rehearsal(self, shared: Memory) -> Rehearsal:
        """Return an adapter that notes what it would send."""
        calls = RehearsedCalls(self.calls)
        return Rehearsal(Orb(calls, (), shared, grace=self._grace), calls.requests)

    async def close(self) -> None:
        """Close the connections."""
        await self.calls.close()
