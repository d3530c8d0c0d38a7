"""Notifications: what Farebox records for people and systems, and how far each was sent.

The one list of kinds is ``NotificationKind``; ``NotificationEvent`` says what each carries, and is
the body of a webhook: ``TypeAdapter(NotificationEvent).validate_json(body)``.
"""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from backend_client.types.accounts import Role
from backend_client.types.common import Answer, Currency, Exact, Instant, Money, Wire
from backend_client.types.invoices import InvoiceKind
from backend_client.types.leaked_keys import LeakOutcome
from backend_client.types.spend import Period


class NotificationKind(StrEnum):
    """What happened. New kinds may appear in later versions."""

    INVOICE_FINALIZED = "invoice.finalized"
    INVOICE_REMINDER = "invoice.reminder"
    INVOICE_SUSPENDED = "invoice.suspended"
    INVOICE_PAID = "invoice.paid"
    INVOICE_PAYMENT_RETURNED = "invoice.payment_returned"
    CREDIT_NOTE_ISSUED = "credit_note.issued"
    WALLET_LOW_BALANCE = "wallet.low_balance"
    WALLET_TOP_UP_REQUESTED = "wallet.top_up_requested"
    WALLET_TOP_UP_FAILED = "wallet.top_up_failed"
    DEPARTMENT_BUDGET_REACHED = "department.budget_reached"
    QUOTA_REACHED = "quota.reached"
    KEY_BUDGET_REACHED = "key.budget_reached"
    KEY_CREATED = "key.created"
    KEY_ROTATED = "key.rotated"
    KEY_REVOKED = "key.revoked"
    WEBHOOK_DISABLED = "webhook.disabled"
    BUDGET_REACHED = "budget.reached"
    INVITATION_CREATED = "invitation.created"
    KEY_LEAKED = "key.leaked"
    NOTIFICATION_TEST = "notification.test"


class CreditAmount(Answer):
    """An amount of credit, to its last digit: credit is not rounded to the minor unit."""

    amount: Exact
    currency: Currency


class InvoiceFinalized(Answer):
    """An invoice was issued. ``due`` is what credit and balance have left to pay of ``total``."""

    invoice_id: str
    number: str
    kind: InvoiceKind
    period: Period
    issued_at: Instant
    due_at: Instant
    total: Money
    due: Money


class InvoiceReminder(Answer):
    """An overdue invoice came to a ``step`` of dunning, which the operator has named."""

    invoice_id: str
    number: str
    step: str
    due_at: Instant
    total: Money
    due: Money


class InvoiceSuspended(InvoiceReminder):
    """It came to the step from which on the tenant's calls are refused until it is paid."""


class InvoicePaid(Answer):
    """Nothing is left to pay of an invoice: payments and credit notes add up to its total.

    ``paid_at`` is ``issued_at`` if credit and balance paid it when it was issued.
    """

    invoice_id: str
    number: str
    issued_at: Instant
    paid_at: Instant
    total: Money
    paid: Money
    credited: Money


class InvoicePaymentReturned(Answer):
    """A payment was taken back by the bank or, after a dispute, by the card's owner.

    ``due`` is what the invoice asks for since; ``fee`` comes on the next invoice.
    """

    invoice_id: str
    number: str
    amount: Money
    method: str
    reference: str
    returned_at: Instant
    due_at: Instant
    due: Money
    fee: Money | None = None


class CreditNoteIssued(Answer):
    """Part of an invoice was taken back. ``to_balance`` is what was paid already of it.

    ``to_credit`` is what credit had paid that was given away, or that a plan had brought.
    """

    credit_note_id: str
    number: str
    invoice_id: str
    invoice_number: str
    reason: str
    issued_at: Instant
    total: Money
    to_balance: Money
    to_credit: Money | None = None


class WalletLowBalance(Answer):
    """A wallet fell below what it warns at: once, and again only after it was above."""

    balance: CreditAmount
    low_balance: CreditAmount


class WalletTopUpRequested(Answer):
    """Credit is to be bought: by a person, or by the wallet's rule if ``automatic``."""

    top_up_id: str
    amount: CreditAmount
    automatic: bool


class WalletTopUpFailed(WalletTopUpRequested):
    """The payment of a top-up failed; ``reference`` is its name at whoever took it."""

    reference: str


class DepartmentBudgetReached(Answer):
    """A department has spent ``percent`` of its budget, 80 or 100, in the month that runs.

    ``month`` is its first day. It is told once a threshold and month.
    """

    month: date
    code: str
    name: str
    percent: int
    budget: Money
    spent: Money


class QuotaReached(Answer):
    """``percent`` of a plan's quota, 80 or 100, is used. Once a threshold and billing period."""

    meters: list[str]
    percent: int
    quantity: Exact
    used: Exact
    resets_at: Instant


class KeyBudgetReached(Answer):
    """``percent`` of an API key's budget, 80 or 100, is used. Once a threshold and period."""

    key_id: str
    name: str
    percent: int
    budget: CreditAmount
    used: CreditAmount
    resets_at: Instant


class KeyCreated(Answer):
    """An API key was made. ``by`` is who did it; the secret is nowhere in it."""

    key_id: str
    name: str
    application_id: str
    last_four: str
    by: str


class KeyRotated(KeyCreated):
    """An API key has a new secret; earlier ones work until ``previous_until``, null if none."""

    previous_until: Instant | None = None


class KeyRevoked(KeyCreated):
    """An API key was revoked for good."""


class WebhookDisabled(Answer):
    """An endpoint gets no more events: ``reason`` is what its last attempt came to."""

    webhook_id: str
    url: str
    failing_since: Instant
    reason: str


class BudgetReached(Answer):
    """Of a budget of calls ``percent`` is used, 80 or 100, in the day or month that runs.

    ``of`` says whose it is, ``name`` an application's name, or ``label=value``. It is
    told once a threshold and period, and anew if the budget's amount has changed.
    """

    of: Literal["application", "label"]
    id: str
    name: str
    percent: int
    limit: Literal["hard", "soft"]
    period: Literal["day", "month"]
    budget: CreditAmount
    spent: CreditAmount
    start: Instant
    resets_at: Instant


class InvitationSent(Answer):
    """The operator invited somebody to a tenant: they accept by signing in with this address.

    It has no secret, so that whoever reads it can't accept it.
    """

    invitation_id: str
    email: str
    role: Role
    tenant_name: str
    sign_in_url: str
    expires_at: Instant


class KeyLeaked(Answer):
    """A key was found where others can read it, and ended: see ``outcome``.

    ``url`` and ``source`` say where, as far as whoever found it does. It has no secret.
    """

    key_id: str
    key_name: str
    key_shown: str
    outcome: LeakOutcome
    url: str | None
    source: str | None
    keys_url: str


class DeliveryTest(Answer):
    """Nothing happened: the operator tries whether notifications arrive at their systems."""

    message: str


class Event(Answer):
    """Something that happened at ``timestamp``, under the same ``id`` however often it is sent."""

    id: str
    timestamp: Instant
    tenant_id: str


class InvoiceFinalizedEvent(Event):
    """``invoice.finalized``."""

    type: Literal[NotificationKind.INVOICE_FINALIZED]
    data: InvoiceFinalized


class InvoiceReminderEvent(Event):
    """``invoice.reminder``."""

    type: Literal[NotificationKind.INVOICE_REMINDER]
    data: InvoiceReminder


class InvoiceSuspendedEvent(Event):
    """``invoice.suspended``."""

    type: Literal[NotificationKind.INVOICE_SUSPENDED]
    data: InvoiceSuspended


class InvoicePaidEvent(Event):
    """``invoice.paid``."""

    type: Literal[NotificationKind.INVOICE_PAID]
    data: InvoicePaid


class InvoicePaymentReturnedEvent(Event):
    """``invoice.payment_returned``."""

    type: Literal[NotificationKind.INVOICE_PAYMENT_RETURNED]
    data: InvoicePaymentReturned


class CreditNoteIssuedEvent(Event):
    """``credit_note.issued``."""

    type: Literal[NotificationKind.CREDIT_NOTE_ISSUED]
    data: CreditNoteIssued


class WalletLowBalanceEvent(Event):
    """``wallet.low_balance``."""

    type: Literal[NotificationKind.WALLET_LOW_BALANCE]
    data: WalletLowBalance


class WalletTopUpRequestedEvent(Event):
    """``wallet.top_up_requested``."""

    type: Literal[NotificationKind.WALLET_TOP_UP_REQUESTED]
    data: WalletTopUpRequested


class WalletTopUpFailedEvent(Event):
    """``wallet.top_up_failed``."""

    type: Literal[NotificationKind.WALLET_TOP_UP_FAILED]
    data: WalletTopUpFailed


class DepartmentBudgetReachedEvent(Event):
    """``department.budget_reached``."""

    type: Literal[NotificationKind.DEPARTMENT_BUDGET_REACHED]
    data: DepartmentBudgetReached


class QuotaReachedEvent(Event):
    """``quota.reached``."""

    type: Literal[NotificationKind.QUOTA_REACHED]
    data: QuotaReached


class KeyBudgetReachedEvent(Event):
    """``key.budget_reached``."""

    type: Literal[NotificationKind.KEY_BUDGET_REACHED]
    data: KeyBudgetReached


class KeyCreatedEvent(Event):
    """``key.created``."""

    type: Literal[NotificationKind.KEY_CREATED]
    data: KeyCreated


class KeyRotatedEvent(Event):
    """``key.rotated``."""

    type: Literal[NotificationKind.KEY_ROTATED]
    data: KeyRotated


class KeyRevokedEvent(Event):
    """``key.revoked``."""

    type: Literal[NotificationKind.KEY_REVOKED]
    data: KeyRevoked


class WebhookDisabledEvent(Event):
    """``webhook.disabled``."""

    type: Literal[NotificationKind.WEBHOOK_DISABLED]
    data: WebhookDisabled


class BudgetReachedEvent(Event):
    """``budget.reached``."""

    type: Literal[NotificationKind.BUDGET_REACHED]
    data: BudgetReached


class InvitationCreatedEvent(Event):
    """``invitation.created``."""

    type: Literal[NotificationKind.INVITATION_CREATED]
    data: InvitationSent


class KeyLeakedEvent(Event):
    """``key.leaked``."""

    type: Literal[NotificationKind.KEY_LEAKED]
    data: KeyLeaked


class NotificationTestEvent(Event):
    """``notification.test``."""

    type: Literal[NotificationKind.NOTIFICATION_TEST]
    data: DeliveryTest


NotificationEvent: TypeAlias = Annotated[
    InvoiceFinalizedEvent
    | InvoiceReminderEvent
    | InvoiceSuspendedEvent
    | InvoicePaidEvent
    | InvoicePaymentReturnedEvent
    | CreditNoteIssuedEvent
    | WalletLowBalanceEvent
    | WalletTopUpRequestedEvent
    | WalletTopUpFailedEvent
    | DepartmentBudgetReachedEvent
    | QuotaReachedEvent
    | KeyBudgetReachedEvent
    | KeyCreatedEvent
    | KeyRotatedEvent
    | KeyRevokedEvent
    | WebhookDisabledEvent
    | BudgetReachedEvent
    | InvitationCreatedEvent
    | KeyLeakedEvent
    | NotificationTestEvent,
    Field(discriminator="type"),
]


class ChannelName(StrEnum):
    """The ways that notifications go: to the operator's endpoint, and to the customer."""

    WEBHOOK = "webhook"
    EMAIL = "email"


class DeliveryState(StrEnum):
    """``failed`` ones are tried no more; ``skipped`` ones had lost their point: see ``reason``."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    FAILED = "failed"
    SKIPPED = "skipped"


class Delivery(Answer):
    """How far a notification came on one channel. ``reason`` says why the last try did not do."""

    channel: ChannelName
    state: DeliveryState
    attempts: int
    next_attempt_at: Instant | None
    delivered_at: Instant | None
    reason: str | None


class NotificationState(StrEnum):
    """``failed`` if any channel gave up, ``waiting`` if any is still to be served.

    ``delivered`` if all that were served are; ``recorded`` if it was sent nowhere, because no
    channel is configured or none had a use for it.
    """

    WAITING = "waiting"
    DELIVERED = "delivered"
    FAILED = "failed"
    RECORDED = "recorded"


class Notification(Answer):
    """A notification with what it tells, which is the body of its webhook, and how it fared."""

    id: str
    state: NotificationState
    event: NotificationEvent
    deliveries: list[Delivery]


class NotificationResend(Wire):
    """Over which channel to send again: null for those that gave up or were never tried."""

    channel: ChannelName | None = None


class NotificationTest(Wire):
    """Of which customer the test says that it is: by id or slug; your own tenant if null."""

    tenant: str | None = Field(None, max_length=200)
