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

    platform: PlatformName = Field(
        description="The platform that is to collect what the tenant owes."
    )
    mode: PlatformMode = Field(
        PlatformMode.INVOICES,
        description="`invoices` sends it finished invoices; with `usage` it rates usage itself.",
    )
    starts_at: Instant | None = Field(None, description="From when on; null for now.")


class PlatformConnection(Answer):
    """A platform that collects, or did, from a tenant; open if ``ends_at`` is null."""

    tenant_id: str
    platform: str = Field(description="The platform, such as `stripe`.")
    mode: str = Field(
        description="`invoices` if it is sent finished invoices, `usage` if it rates usage itself."
    )
    starts_at: Instant = Field(description="From when on it collects.")
    ends_at: Instant | None = Field(description="Until when it collected; null while it does.")


class PlatformStatus(Answer):
    """A platform, and how far it is behind.

    ``lag_seconds``: how long the oldest dispatch has waited. ``inbox_failed`` are webhooks that
    could not be applied. ``drift`` counts what differs now.
    """

    platform: str = Field(description="The platform, such as `stripe`.")
    configured: bool = Field(description="Whether the settings have what is needed to reach it.")
    connections: int = Field(description="From how many tenants it collects now.")
    waiting: int = Field(description="How many dispatches are still to be sent.")
    refused: int = Field(description="How many dispatches it refused, which wait for a person.")
    lag_seconds: float = Field(
        description="How many seconds the oldest waiting dispatch has waited; 0 if none does."
    )
    inbox_waiting: int = Field(description="How many of its webhooks are still to be applied.")
    inbox_failed: int = Field(description="How many of its webhooks could not be applied.")
    drift: int = Field(description="How many things it has otherwise than Farebox.")


class PlatformCursor(Answer):
    """How far a tenant's stream is sent. All dispatches up to ``position`` are done.

    ``closed_until``: usage before it was compared with what was queued.
    """

    tenant_id: str
    platform: str = Field(description="The platform, such as `stripe`.")
    stream: str = Field(description="What is sent in order: `documents` or `usage`.")
    position: int = Field(description="The number up to which all dispatches are done.")
    waiting: int = Field(description="How many dispatches are still to be sent.")
    refused: int = Field(
        description="How many dispatches the platform refused, which wait for a person."
    )
    oldest_waiting_at: Instant | None = Field(
        description="Since when the oldest waiting dispatch waits; null if none does."
    )
    closed_until: Instant | None = Field(
        description="Until when usage was compared with what was queued; null for documents, "
        "and before the first time."
    )


class Dispatch(Answer):
    """Something that is sent to a platform once. ``reason``: why it waits or was refused."""

    id: str
    tenant_id: str
    platform: str = Field(description="The platform, such as `stripe`.")
    stream: str = Field(description="In which order it is sent: that of `documents` or of `usage`.")
    action: str = Field(
        description="What the platform is to do, such as `invoice`, `credit_note`, `void` or "
        "`usage`."
    )
    subject: str = Field(
        description="What it is about: the next of the same subject waits until this is done."
    )
    state: str = Field(
        description="`waiting`, `sent`, `confirmed` (seen there), `refused` (waits for a "
        "person), or `skipped` by one."
    )
    attempts: int = Field(description="How often it was tried.")
    next_attempt_at: Instant | None
    sent_at: Instant | None = Field(description="When the platform took it; null until then.")
    confirmed_at: Instant | None = Field(description="When it was seen there; null until then.")
    remote_id: str | None = Field(
        description="What the platform calls it; null until that is known."
    )
    reason: str | None = Field(
        description="Why it waits or was refused, or why a person left it out; null if there "
        "is nothing to say."
    )
    created_at: Instant


class DispatchSkip(Wire):
    """Leave a refused dispatch out, and let what waits for it go on."""

    reason: str = Field(
        min_length=1, max_length=500, description="Why it is not to be sent, for the record."
    )


class RemoteObject(Answer):
    """What a platform calls something of a tenant's: ``own_id`` is our id, or a currency.

    An invoice that the platform writes itself is a ``period_invoice``, named by when its period
    begins. ``state`` is how a thing stood there when it was last looked at.
    """

    tenant_id: str
    platform: str = Field(description="The platform, such as `stripe`.")
    kind: str = Field(description="What it is, such as an `invoice` or a `customer`.")
    own_id: str = Field(description="What Farebox knows it by: its id, or a currency.")
    remote_id: str = Field(description="What the platform calls it.")
    created_at: Instant
    state: dict[str, str | None] = Field(
        {},
        description="How it stood there when it was last looked at, in the platform's own "
        "words; empty if it was not.",
    )


class PlatformDrift(Answer):
    """Something that a platform has otherwise than Farebox, and why. It is never copied back."""

    tenant_id: str
    platform: str = Field(description="The platform, such as `stripe`.")
    kind: str = Field(description="What differs, such as an `invoice`.")
    subject: str = Field(description="Which one, by what Farebox or else the platform knows it by.")
    cause: str = Field(
        description="Why it differs, as a stable word such as `edited_there` or `payment_failed`."
    )
    ours: str | None = Field(description="What Farebox has; null if it has nothing of it.")
    theirs: str | None = Field(description="What the platform has; null if it has nothing of it.")
    detail: str = Field(description="What differs, in a sentence.")
    first_seen_at: Instant = Field(description="When the difference was first found.")
    last_seen_at: Instant = Field(description="When it was last found.")


class PlatformBackfill(Wire):
    """Queue what happened since ``since`` and was not queued, as if the tenant were on then."""

    since: Instant = Field(
        description="From when on to queue what happened; it must be in the past."
    )


class PlatformBackfilled(Answer):
    """How many dispatches were queued."""

    queued: int = Field(description="How many dispatches were added to what is to be sent.")


class PlanFit(Answer):
    """What of a plan a platform can't rate; it can rate the plan if there is nothing."""

    plan: str = Field(description="Which plan, by its id in the catalog.")
    platform: str = Field(description="The platform, such as `stripe`.")
    obstacles: list[str] = Field(
        description="What of the plan the platform can't rate, in sentences; empty if it can "
        "rate all of it."
    )


class PaymentOptions(Answer):
    """Which platform collects from the tenant now, on pages of its own; null if none does."""

    platform: str | None = Field(
        description="The platform that collects from the tenant now; null if none does."
    )


class PaymentMethod(Answer):
    """What a customer saved to be charged by: a card, a bank account.

    ``label`` names it by its last digits; ``expires_on`` is a month, as ``2028-04``. ``chosen``:
    invoices are charged to it.
    """

    kind: str = Field(description="What it is, such as `card`.")
    label: str = Field(description="What people know it by, such as its last digits.")
    expires_on: str | None = Field(
        description="The month in which it ends, such as `2028-04`; null if it does not."
    )
    chosen: bool = Field(description="Whether invoices are charged to it.")


class PaymentLink(Answer):
    """Where the customer's browser goes on: the platform's own page, for one use."""

    url: str = Field(
        description="Where the customer's browser goes on: the platform's own page, for one use."
    )
