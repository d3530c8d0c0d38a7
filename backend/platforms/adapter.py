"""The interface of platforms, and the ways in which they refuse."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Literal, Protocol, TypeAlias

from backend.outbox.channels.channel import NotDelivered
from backend.platforms.documents import (
    CreditNoteDocument,
    Customer,
    InvoiceDocument,
    PlanDocument,
    RatedInvoice,
    RemoteCredit,
    RemoteInvoice,
    SavedMethod,
    TopUpDocument,
    UsageDelta,
)
from backend_client.types.plans import PlanDefinition
from backend_client.types.platforms import PlatformMode


class Refused(NotDelivered):
    """The platform, or a rule about it, does not take this: trying again is useless."""

    def __init__(self, reason: str, code: str = "") -> None:
        super().__init__(reason, final=True)
        self.code = code


class Busy(NotDelivered):
    """The platform's limit is reached. That is no failure: it counts as no attempt."""

    def __init__(self, wait: timedelta) -> None:
        super().__init__("The platform's rate limit is reached.", wait=wait)


class AnswerSpoiled(NotDelivered):
    """The platform keeps a failed answer for this key: look what is there, and use a new key."""


class Memory(Protocol):
    """What the platform calls our things. What is remembered is kept at once, whatever follows."""

    async def recall(self, kind: str, own_id: str) -> str | None:
        """Return the remote id of a thing of ours; None if there is none."""

    async def remember(self, kind: str, own_id: str, remote_id: str) -> None:
        """Keep the remote id of a thing of ours."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try at sending. ``look_up``: an earlier try may have created it under a forgotten key.

    ``tried``: an earlier try may have done a part of it. A platform that keeps no keys looks then.
    """

    memory: Memory
    key_group: int = 0
    since: datetime | None = None
    tried: bool = False

    @property
    def look_up(self) -> bool:
        """Return whether to look for what may be there before creating it."""
        return self.key_group > 0

    def key(self, *parts: str) -> str:
        """Return the idempotency key of one request of this attempt."""
        return ":".join(("fb1", *parts, str(self.key_group)))


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one delta: delivered if ``reason`` is None, else refused.

    ``how``: as what the platform has it, where that is no event of its own.
    """

    identifier: str
    reason: str | None = None
    how: str | None = None


@dataclass(frozen=True, slots=True)
class Message:
    """A verified webhook: only where to look. What it claims is not believed."""

    id: str
    kind: str
    object_id: str
    sent_at: datetime
    wanted: bool = True


@dataclass(frozen=True, slots=True)
class InvoiceMoved:
    """An invoice as it stands on the platform now."""

    own_id: str
    tenant_id: str
    invoice: RemoteInvoice


@dataclass(frozen=True, slots=True)
class MoneyBack:
    """A refund of what was paid: for an invoice, or for a top-up."""

    reference: str
    amount: Decimal
    currency: str
    remote_invoice: str | None = None
    top_up_id: str | None = None
    tenant_id: str | None = None


@dataclass(frozen=True, slots=True)
class Disputed:
    """A payment is disputed, or was: ``status`` in the platform's word."""

    reference: str
    status: str
    over: bool
    won: bool
    amount: Decimal
    remote_invoice: str | None = None


@dataclass(frozen=True, slots=True)
class CreditedThere:
    """A credit note that somebody wrote on the platform."""

    remote_id: str
    remote_invoice: str
    total: Decimal
    reason: str
    void: bool
    refunds: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ToppedUp:
    """How the payment of a top-up ended."""

    tenant_id: str
    top_up_id: str
    paid: bool
    reference: str


@dataclass(frozen=True, slots=True)
class UsageRejected:
    """Deltas that the platform took and found unusable later; those that it names, and how many."""

    identifiers: Mapping[str, str]
    count: int


@dataclass(frozen=True, slots=True)
class PeriodInvoiced:
    """An invoice that the platform wrote for usage which it rates, as it stands now."""

    customer: str
    invoice: RatedInvoice


RemoteFact: TypeAlias = (
    InvoiceMoved | MoneyBack | Disputed | CreditedThere | ToppedUp | UsageRejected | PeriodInvoiced
)


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """A request that was not sent; ``lines`` show what would be in it."""

    method: str
    path: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """An adapter that reads and changes nothing, and what it would have sent, in order."""

    adapter: Adapter
    requests: list[Rehearsed]


class Adapter(Protocol):
    """Speaks to a platform over HTTP. Each method may be repeated; all raise ``NotDelivered``."""

    @property
    def name(self) -> str:
        """The platform's name: that of payments which it reports, too."""

    @property
    def draws_credit(self) -> bool:
        """Whether it draws on credit bought in advance where it rates usage."""

    @property
    def usage_grain(self) -> Literal["hour", "day"]:
        """How finely it tells what it counted."""

    def refuses(self, mode: PlatformMode, starts_at: datetime) -> str | None:
        """Return why no tenant can be on it in a mode from then on; None if one can."""

    def obstacles(self, plan: PlanDefinition, currency: str) -> list[str]:
        """Return what of a plan the platform can't rate, each as a sentence; none if it can."""

    async def ensure_customer(self, customer: Customer, attempt: Attempt) -> str:
        """Create the customer if it is not there; return its remote id."""

    async def push_invoice(self, invoice: InvoiceDocument, customer: str, attempt: Attempt) -> str:
        """Create and finalize an invoice; return its remote id."""

    async def push_credit_note(self, note: CreditNoteDocument, attempt: Attempt) -> str | None:
        """Create a credit note; return its remote id, or None if it asks for nothing there."""

    async def settle(
        self, invoice: InvoiceDocument, customer: str, remote_id: str, attempt: Attempt
    ) -> str | None:
        """Have the platform take note of what was paid of an invoice elsewhere.

        Returns a word on what it can't be told; None if it knows all.
        """

    async def void(self, remote_id: str, attempt: Attempt) -> None:
        """Void an invoice."""

    async def write_off(self, remote_id: str, attempt: Attempt) -> None:
        """Mark an invoice as uncollectible."""

    async def charge_top_up(self, top_up: TopUpDocument, attempt: Attempt) -> str:
        """Charge the saved payment method for credit; return the payment's remote id."""

    async def subscribe(
        self,
        plan: PlanDocument,
        customer: str,
        starts_at: datetime,
        ends: datetime,
        attempt: Attempt,
    ) -> str:
        """Have the platform rate a plan's usage from a period on, whose end is ``ends``."""

    async def unsubscribe(self, remote_id: str, ends_at: datetime, attempt: Attempt) -> None:
        """Have the platform rate nothing from then on, and invoice what is left."""

    async def saved_methods(self, customer: Customer, attempt: Attempt) -> Sequence[SavedMethod]:
        """Return what the customer can be charged by; nothing if the platform charges nobody."""

    async def top_up_page(self, top_up: TopUpDocument, back: str, attempt: Attempt) -> str:
        """Return the address of a page on which a top-up is paid; ``back`` is where it leads."""

    async def method_page(self, customer: Customer, back: str, attempt: Attempt) -> str:
        """Return the address of a page on which a payment method is saved."""

    async def customer_page(self, customer: Customer, back: str, attempt: Attempt) -> str:
        """Return the address of the customer's own pages: methods, invoices, receipts."""

    async def push_usage(self, deltas: Sequence[UsageDelta]) -> list[Verdict]:
        """Send deltas; return what became of each."""

    async def read_usage(
        self, customer: str, meter: str, start: datetime, end: datetime
    ) -> dict[datetime, Decimal]:
        """Return what the platform counted, by the start of the hour or day in UTC."""

    async def read_deltas(
        self, customer: str, meter: str, start: datetime, end: datetime
    ) -> frozenset[str] | None:
        """Return the identifiers of the deltas that it has; None if it can't tell each."""

    async def read_credit(
        self, tenant_id: str, currency: str, customer: str | None, since: datetime
    ) -> RemoteCredit:
        """Return credit that only the platform knows of, and what invoices drew on it since then.

        ``customer`` is its remote id, if we have made it there.
        """

    async def read_invoice(self, remote_id: str) -> RemoteInvoice:
        """Return an invoice as it stands on the platform."""

    async def poll(self, tenant_id: str, customer: str) -> Sequence[RemoteFact]:
        """Return how things stand that no webhook tells of, or not surely."""

    def verify(self, headers: Mapping[str, str], raw: bytes, now: datetime) -> Message:
        """Return what a webhook is about; raise ``WebhookRefused`` if it is not the platform's."""

    async def read(self, message: Message) -> Sequence[RemoteFact]:
        """Fetch what a webhook is about; nothing if it does not concern us."""

    def rehearsal(self, shared: Memory) -> Rehearsal:
        """Return an adapter over the same connections that notes what it would send."""

    async def close(self) -> None:
        """Close the connections."""
