"""Webhooks that a customer registers: endpoints, what they are sent, and how each attempt went.

``CUSTOMER_EVENTS`` is the one list of what they can be sent; what each kind carries is in
``notifications``.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from backend_client.types.common import Answer, Instant, Wire
from backend_client.types.notifications import NotificationEvent, NotificationKind

CUSTOMER_EVENTS: Final[dict[NotificationKind, str]] = {
    NotificationKind.INVOICE_FINALIZED: "An invoice is issued",
    NotificationKind.INVOICE_REMINDER: "An invoice is overdue, and was reminded of",
    NotificationKind.INVOICE_SUSPENDED: "Calls are refused until an overdue invoice is paid",
    NotificationKind.INVOICE_PAID: "Nothing is left to pay of an invoice",
    NotificationKind.INVOICE_PAYMENT_RETURNED: "A payment failed after all: it was taken back",
    NotificationKind.CREDIT_NOTE_ISSUED: "An invoice, or part of it, is credited",
    NotificationKind.WALLET_LOW_BALANCE: "Credit has fallen below the wallet's warning level",
    NotificationKind.WALLET_TOP_UP_REQUESTED: "Credit is to be bought",
    NotificationKind.WALLET_TOP_UP_FAILED: "The payment for credit failed",
    NotificationKind.DEPARTMENT_BUDGET_REACHED: "A department has spent 80% or all of its budget",
    NotificationKind.QUOTA_REACHED: "80% or all of a quota of the plan is used",
    NotificationKind.KEY_BUDGET_REACHED: "An API key has spent 80% or all of its budget",
    NotificationKind.KEY_CREATED: "An API key was made",
    NotificationKind.KEY_ROTATED: "An API key has a new secret",
    NotificationKind.KEY_REVOKED: "An API key was revoked",
    NotificationKind.KEY_LEAKED: "An API key was found in public, and ended",
    NotificationKind.WEBHOOK_DISABLED: "Another of your endpoints failed for days and was disabled",
}
"""What a customer's endpoints can be sent, and when it happens."""


def _for_customers(kinds: list[NotificationKind]) -> list[NotificationKind]:
    for kind in kinds:
        if kind not in CUSTOMER_EVENTS:
            raise PydanticCustomError(
                "event", "has {kind}, which no endpoint is sent", {"kind": kind.value}
            )
    return sorted(set(kinds), key=list(CUSTOMER_EVENTS).index)


EventKinds = Annotated[
    list[NotificationKind],
    Field(min_length=1, max_length=100, description="Kinds of events, each once"),
    AfterValidator(_for_customers),
]
Url = Annotated[str, Field(min_length=1, max_length=2000, description="Where events are POSTed")]


class WebhookCreate(Wire):
    """An endpoint to send events to: those of ``events``, or all if that is null."""

    url: Url
    description: str = Field("", max_length=200)
    events: EventKinds | None = None


class WebhookChange(Wire):
    """What to change of an endpoint; what is left out stays as it is.

    Null has it sent all ``events``; for the others it changes nothing.
    """

    url: Url | None = None
    description: str | None = Field(None, max_length=200)
    events: EventKinds | None = None
    enabled: bool | None = None


class WebhookRotate(Wire):
    """How long events are signed by the old secret too: a day if not said, 30 at most.

    With 0 all earlier secrets end at once, those of earlier rotations too.
    """

    grace_seconds: int = Field(
        24 * 3600,
        ge=0,
        le=30 * 24 * 3600,
        description="How many seconds events are signed by the present secret too: a day if "
        "left out, 30 days at most. 0 ends it at once.",
    )


class WebhookReplay(Wire):
    """From when on to send events again: those not delivered, or all of them."""

    since: Instant = Field(description="From when on events are sent again, by when they happened.")
    delivered_too: bool = Field(False, description="Whether also those that were delivered.")


class DisabledBecause(StrEnum):
    """``gone`` if it answered 410, ``failing`` if every attempt failed for days."""

    BY_HAND = "by_hand"
    FAILING = "failing"
    GONE = "gone"


class Webhook(Answer):
    """An endpoint. ``events`` is null if it is sent all kinds.

    ``failing_since`` is when the first of its attempts failed that none succeeded after.
    ``previous_until`` is how long events are signed by an earlier secret too; null without one.
    """

    id: str
    url: str
    description: str
    events: list[NotificationKind] | None
    enabled: bool
    disabled_at: Instant | None
    disabled_because: DisabledBecause | None
    failing_since: Instant | None
    previous_until: Instant | None
    created_by: str
    created_at: Instant


class TenantWebhook(Webhook):
    """A customer's endpoint as the operator sees it, with how many deliveries wait and failed."""

    waiting: int = Field(
        description="How many events are still to be delivered, tried before or not"
    )
    failed: int = Field(
        description="How many events were tried for days and are tried no more; they can be sent "
        "again while they are kept"
    )


class WebhookCreated(Webhook):
    """An endpoint with its new secret, which is shown this once."""

    secret: str = Field(repr=False)


class WebhookReplayed(Answer):
    """How many events are sent again."""

    queued: int = Field(description="How many events are sent again.")


class WebhookDeliveryState(StrEnum):
    """``failed`` ones are tried no more, but can be sent again."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    FAILED = "failed"


class WebhookAttempt(Answer):
    """One request to an endpoint. ``answer`` is the beginning of what it answered.

    ``status`` is null without an answer; without ``duration_ms`` it is under way, or was ended
    by the loss of who made it, so that nobody knows whether it arrived.
    """

    number: int
    at: Instant
    duration_ms: int | None
    status: int | None
    answer: str | None
    reason: str | None


class WebhookDelivery(Answer):
    """How far an event came on its way to an endpoint. ``reason`` is why the last attempt failed.

    ``attempts`` counts all requests, those before it was sent again too.
    """

    webhook_id: str
    event_id: str
    kind: NotificationKind
    occurred_at: Instant
    state: WebhookDeliveryState
    attempts: int
    next_attempt_at: Instant | None
    delivered_at: Instant | None
    reason: str | None


class WebhookDeliveryDetails(WebhookDelivery):
    """A delivery with the event, which is the body of each request, and its latest attempts."""

    event: NotificationEvent
    attempt_log: list[WebhookAttempt]
