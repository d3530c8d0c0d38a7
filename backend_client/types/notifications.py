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

    amount: Exact = Field(description="How much credit, unrounded.")
    currency: Currency


class InvoiceFinalized(Answer):
    """An invoice was issued. ``due`` is what credit and balance have left to pay of ``total``."""

    invoice_id: str
    number: str = Field(description="The number of the invoice.")
    kind: InvoiceKind = Field(description="What the invoice is for.")
    period: Period = Field(description="The billing period that it is for.")
    issued_at: Instant = Field(description="When it was issued.")
    due_at: Instant = Field(description="Until when it has to be paid.")
    total: Money = Field(description="What it comes to, tax included.")
    due: Money = Field(description="What credit and balance have left to pay of it.")


class InvoiceReminder(Answer):
    """An overdue invoice came to a ``step`` of dunning, which the operator has named."""

    invoice_id: str
    number: str = Field(description="The number of the invoice.")
    step: str = Field(
        description="The step of dunning that it came to, by the operator's name for it."
    )
    due_at: Instant = Field(description="Until when it had to be paid.")
    total: Money = Field(description="What it comes to, tax included.")
    due: Money = Field(description="What is still to be paid of it.")


class InvoiceSuspended(InvoiceReminder):
    """It came to the step from which on the tenant's calls are refused until it is paid."""


class InvoicePaid(Answer):
    """Nothing is left to pay of an invoice: payments and credit notes add up to its total.

    ``paid_at`` is ``issued_at`` if credit and balance paid it when it was issued.
    """

    invoice_id: str
    number: str = Field(description="The number of the invoice.")
    issued_at: Instant = Field(description="When it was issued.")
    paid_at: Instant = Field(
        description="When the last of it was paid; `issued_at` if credit and balance paid it "
        "at once."
    )
    total: Money = Field(description="What it comes to, tax included.")
    paid: Money = Field(description="What was paid of it.")
    credited: Money = Field(description="What credit notes have taken back of it.")


class InvoicePaymentReturned(Answer):
    """A payment was taken back by the bank or, after a dispute, by the card's owner.

    ``due`` is what the invoice asks for since; ``fee`` comes on the next invoice.
    """

    invoice_id: str
    number: str = Field(description="The number of the invoice.")
    amount: Money = Field(description="How much was taken back.")
    method: str = Field(description="How it had been paid.")
    reference: str = Field(description="What whoever took the payment back calls that.")
    returned_at: Instant = Field(description="When it was taken back.")
    due_at: Instant = Field(description="Until when the invoice had to be paid.")
    due: Money = Field(description="What the invoice asks for since.")
    fee: Money | None = Field(
        None, description="What the customer is asked for it on its next invoice; null for nothing."
    )


class CreditNoteIssued(Answer):
    """Part of an invoice was taken back. ``to_balance`` is what was paid already of it.

    ``to_credit`` is what credit had paid that was given away, or that a plan had brought.
    """

    credit_note_id: str = Field(description="The credit note, by its id (`crn_…`).")
    number: str = Field(description="The number of the credit note.")
    invoice_id: str
    invoice_number: str = Field(
        description="The number of the invoice that it takes back a part of."
    )
    reason: str = Field(description="Why it was issued.")
    issued_at: Instant = Field(description="When it was issued.")
    total: Money = Field(description="How much it takes back, tax included.")
    to_balance: Money = Field(
        description="What of that had been paid, and is on the customer's balance now."
    )
    to_credit: Money | None = Field(
        None,
        description="What of that given credit had paid, and is in the wallet again; null for "
        "nothing.",
    )


class WalletLowBalance(Answer):
    """A wallet fell below what it warns at: once, and again only after it was above."""

    balance: CreditAmount = Field(description="What is left in the wallet.")
    low_balance: CreditAmount = Field(description="What the wallet warns below.")


class WalletTopUpRequested(Answer):
    """Credit is to be bought: by a person, or by the wallet's rule if ``automatic``."""

    top_up_id: str = Field(description="The purchase of credit, by its id (`top_…`).")
    amount: CreditAmount = Field(description="How much is to be paid.")
    automatic: bool = Field(description="Whether the wallet's rule asked for it, and no person.")


class WalletTopUpFailed(WalletTopUpRequested):
    """The payment of a top-up failed; ``reference`` is its name at whoever took it."""

    reference: str = Field(description="What the payment is called by whoever tried to take it.")


class DepartmentBudgetReached(Answer):
    """A department has spent ``percent`` of its budget, 80 or 100, in the month that runs.

    ``month`` is its first day. It is told once a threshold and month.
    """

    month: date = Field(description="The month, by its first day.")
    code: str = Field(description="The department's code.")
    name: str = Field(description="The department's name.")
    percent: int = Field(description="How much of the budget is spent: 80 or 100 percent.")
    budget: Money = Field(description="The department's budget for the month.")
    spent: Money = Field(description="What is spent of it so far, before tax.")


class QuotaReached(Answer):
    """``percent`` of a plan's quota, 80 or 100, is used. Once a threshold and billing period."""

    meters: list[str] = Field(description="The meters whose units the quota adds up.")
    percent: int = Field(description="How much of the quota is used: 80 or 100 percent.")
    quantity: Exact = Field(description="How many units the quota allows.")
    used: Exact = Field(description="How many are used so far.")
    resets_at: Instant


class KeyBudgetReached(Answer):
    """``percent`` of an API key's budget, 80 or 100, is used. Once a threshold and period."""

    key_id: str
    name: str = Field(description="What people know the key by.")
    percent: int = Field(description="How much of the budget is used: 80 or 100 percent.")
    budget: CreditAmount = Field(description="What the key's calls may cost in the period.")
    used: CreditAmount = Field(description="What they have cost in it so far.")
    resets_at: Instant


class KeyCreated(Answer):
    """An API key was made. ``by`` is who did it; the secret is nowhere in it."""

    key_id: str
    name: str = Field(description="What people know the key by.")
    application_id: str
    last_four: str
    by: str = Field(description="Who did it, by id (`usr_…` or `key_…`).")


class KeyRotated(KeyCreated):
    """An API key has a new secret; earlier ones work until ``previous_until``, null if none."""

    previous_until: Instant | None = None


class KeyRevoked(KeyCreated):
    """An API key was revoked for good."""


class WebhookDisabled(Answer):
    """An endpoint gets no more events: ``reason`` is what its last attempt came to."""

    webhook_id: str
    url: str = Field(description="Where the endpoint's events were sent.")
    failing_since: Instant = Field(
        description="When the first attempt failed that none succeeded after."
    )
    reason: str = Field(description="What the last attempt came to.")


class BudgetReached(Answer):
    """Of a budget of calls ``percent`` is used, 80 or 100, in the day or month that runs.

    ``of`` says whose it is, ``name`` an application's name, or ``label=value``. It is
    told once a threshold and period, and anew if the budget's amount has changed.
    """

    of: Literal["application", "label"] = Field(
        description="Whose budget it is: an `application`'s, or that of a `label`'s value."
    )
    id: str = Field(description="The application or the label's budget, by its id.")
    name: str = Field(
        description="The application's name, or the label and its value as `label=value`."
    )
    percent: int = Field(description="How much of the budget is used: 80 or 100 percent.")
    limit: Literal["hard", "soft"] = Field(
        description="`hard` if calls that could pass it are refused, `soft` if they go on."
    )
    period: Literal["day", "month"] = Field(
        description="Whether the budget is for each `day` or each `month` of the tenant's "
        "time zone."
    )
    budget: CreditAmount = Field(description="What calls may cost in the period.")
    spent: CreditAmount = Field(description="What they have cost in it so far.")
    start: Instant
    resets_at: Instant


class InvitationSent(Answer):
    """The operator invited somebody to a tenant: they accept by signing in with this address.

    It has no secret, so that whoever reads it can't accept it.
    """

    invitation_id: str = Field(description="The invitation, by its id (`ivt_…`).")
    email: str = Field(description="The address that it is for, which alone can accept it.")
    role: Role
    tenant_name: str = Field(description="The organization's name.")
    sign_in_url: str = Field(description="Where the person signs in, which accepts it.")
    expires_at: Instant


class KeyLeaked(Answer):
    """A key was found where others can read it, and ended: see ``outcome``.

    ``url`` and ``source`` say where, as far as whoever found it does. It has no secret.
    """

    key_id: str
    key_name: str = Field(description="What people know the key by.")
    key_shown: str = Field(
        description="How the secret begins and ends, to tell the key from others."
    )
    outcome: LeakOutcome = Field(
        description="What became of the key: `revoked`, `disabled`, an earlier secret's end "
        "(`secret_ended`), or `none` if it did not work any more."
    )
    url: str | None = Field(
        description="Where it was found; null if whoever found it does not say."
    )
    source: str | None = Field(
        description="What kind of place that is; null if whoever found it does not say."
    )
    keys_url: str = Field(description="The portal's page of keys, where a new one can be made.")


class DeliveryTest(Answer):
    """Nothing happened: the operator tries whether notifications arrive at their systems."""

    message: str = Field(description="A sentence that says that nothing happened.")


class Event(Answer):
    """Something that happened at ``timestamp``, under the same ``id`` however often it is sent."""

    id: str = Field(
        description="What it is known by, however often it is sent (`ntf_…`): use it to act "
        "on it once."
    )
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

    channel: ChannelName = Field(
        description="The way that it goes: `webhook` to the operator's endpoint, or `email` "
        "to the customer."
    )
    state: DeliveryState = Field(
        description="`waiting`, `delivered`, `failed` (tried no more), or `skipped` because "
        "it had lost its point."
    )
    attempts: int = Field(description="How often it was tried.")
    next_attempt_at: Instant | None
    delivered_at: Instant | None
    reason: str | None = Field(
        description="Why the last try did not do, or why it was skipped; null if there is "
        "nothing to say."
    )


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
    state: NotificationState = Field(
        description="How far it is over all channels: `failed` if one gave up, `waiting` if "
        "one is still to be served, else `delivered`, or `recorded` if it was sent nowhere."
    )
    event: NotificationEvent = Field(description="What happened; it is the body of its webhook.")
    deliveries: list[Delivery] = Field(
        description="How far it is on each channel; empty if it is sent nowhere."
    )


class NotificationResend(Wire):
    """Over which channel to send again: null for those that gave up or were never tried."""

    channel: ChannelName | None = Field(
        None,
        description="The channel to send it over again; null for those that gave up or never "
        "tried.",
    )


class NotificationTest(Wire):
    """Of which customer the test says that it is: by id or slug; your own tenant if null."""

    tenant: str | None = Field(
        None,
        max_length=200,
        description="Of which customer the test says that it is, by id or slug; null for your own.",
    )
