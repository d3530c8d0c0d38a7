"""Billing platforms: which tenants they collect from, what is sent there, and what differs."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from backend_client.types.common import Answer, Instant, Wire


class PlatformName(StrEnum):
    """A billing platform. New ones may appear in later versions."""

    STRIPE = "stripe"
    ORB = "orb"
    AMBERFLO = "amberflo"


class PlatformMode(StrEnum):
    """``invoices``: finished invoices are pushed. ``usage``: the platform rates usage itself."""

    INVOICES = "invoices"
    USAGE = "usage"


class DispatchState(StrEnum):
    """Refused waits for a person; sent was taken by the platform, confirmed was seen there.

    Skipped was refused, and a person decided that it is not to be sent.
    """

    WAITING = "waiting"
    SENT = "sent"
    CONFIRMED = "confirmed"
    REFUSED = "refused"
    SKIPPED = "skipped"


class PlatformConnect(Wire):
    """Have a platform collect what a tenant owes, from ``starts_at`` on (now if null).

    Another platform that did so does until then. Into or out of ``usage`` only where a billing
    period begins.
    """

    platform: PlatformName
    mode: PlatformMode = PlatformMode.INVOICES
    starts_at: Instant | None = None


class PlatformConnection(Answer):
    """A platform that collects, or did, from a tenant; open if ``ends_at`` is null."""

    tenant_id: str
    platform: str
    mode: str
    starts_at: Instant
    ends_at: Instant | None


class PlatformStatus(Answer):
    """A platform, and how far it is behind.

    ``lag_seconds``: how long the oldest dispatch has waited. ``inbox_failed`` are webhooks that
    could not be applied. ``drift`` counts what differs now.
    """

    platform: str
    configured: bool
    connections: int
    waiting: int
    refused: int
    lag_seconds: float
    inbox_waiting: int
    inbox_failed: int
    drift: int


class PlatformCursor(Answer):
    """How far a tenant's stream is sent. All dispatches up to ``position`` are done.

    ``closed_until``: usage before it was compared with what was queued.
    """

    tenant_id: str
    platform: str
    stream: str
    position: int
    waiting: int
    refused: int
    oldest_waiting_at: Instant | None
    closed_until: Instant | None


class Dispatch(Answer):
    """Something that is sent to a platform once. ``reason``: why it waits or was refused."""

    id: str
    tenant_id: str
    platform: str
    stream: str
    action: str
    subject: str
    state: str
    attempts: int
    next_attempt_at: Instant | None
    sent_at: Instant | None
    confirmed_at: Instant | None
    remote_id: str | None
    reason: str | None
    created_at: Instant


class DispatchSkip(Wire):
    """Leave a refused dispatch out, and let what waits for it go on."""

    reason: str = Field(min_length=1, max_length=500)


class RemoteObject(Answer):
    """What a platform calls something of a tenant's: ``own_id`` is our id, or a currency.

    An invoice that the platform writes itself is a ``period_invoice``, named by when its period
    begins. ``state`` is how a thing stood there when it was last looked at.
    """

    tenant_id: str
    platform: str
    kind: str
    own_id: str
    remote_id: str
    created_at: Instant
    state: dict[str, str | None] = {}


class PlatformDrift(Answer):
    """Something that a platform has otherwise than Farebox, and why. It is never copied back."""

    tenant_id: str
    platform: str
    kind: str
    subject: str
    cause: str
    ours: str | None
    theirs: str | None
    detail: str
    first_seen_at: Instant
    last_seen_at: Instant


class PlatformBackfill(Wire):
    """Queue what happened since ``since`` and was not queued, as if the tenant were on then."""

    since: Instant


class PlatformBackfilled(Answer):
    """How many dispatches were queued."""

    queued: int


class PlanFit(Answer):
    """What of a plan a platform can't rate; it can rate the plan if there is nothing."""

    plan: str
    platform: str
    obstacles: list[str]


class PaymentOptions(Answer):
    """Which platform collects from the tenant now, on pages of its own; null if none does."""

    platform: str | None


class PaymentMethod(Answer):
    """What a customer saved to be charged by: a card, a bank account.

    ``label`` names it by its last digits; ``expires_on`` is a month, as ``2028-04``. ``chosen``:
    invoices are charged to it.
    """

    kind: str
    label: str
    expires_on: str | None
    chosen: bool


class PaymentLink(Answer):
    """Where the customer's browser goes on: the platform's own page, for one use."""

    url: str
