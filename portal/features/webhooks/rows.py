"""Endpoints and deliveries as the page shows them. Plain functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from backend_client.types.webhooks import (
    DisabledBecause,
    Webhook,
    WebhookAttempt,
    WebhookDelivery,
    WebhookDeliveryDetails,
    WebhookDeliveryState,
)
from portal.kit.color import Color
from portal.kit.formatting import second

ANY = "any"
"""Everything is let through: a list can't have an empty value."""
STATES = {
    WebhookDeliveryState.FAILED: "Failed",
    WebhookDeliveryState.WAITING: "Waiting",
    WebhookDeliveryState.DELIVERED: "Delivered",
}
_COLORS: dict[WebhookDeliveryState, Color] = {
    WebhookDeliveryState.FAILED: "red",
    WebhookDeliveryState.WAITING: "orange",
    WebhookDeliveryState.DELIVERED: "green",
}
REPLAYS = {"1": "An hour", "24": "A day", "168": "A week", "720": "30 days", "2160": "90 days"}
"""How far a replay goes back, in hours."""
_BECAUSE = {
    DisabledBecause.BY_HAND: "Disabled by hand",
    DisabledBecause.FAILING: "Disabled: every attempt failed for days",
    DisabledBecause.GONE: "Disabled: it answered that it is gone",
}


@dataclass(frozen=True)
class EndpointRow:
    """An endpoint as the list shows it. There is no secret in it: the API has none to give."""

    id: str = ""
    url: str = ""
    description: str = ""
    events: str = ""
    enabled: bool = True
    status: str = ""
    color: Color = "gray"
    about: str = ""
    overlap: str = ""
    created: str = ""


@dataclass(frozen=True)
class EndpointEdit:
    """What a form begins with; ``kinds`` is empty for an endpoint that is sent all."""

    id: str = ""
    url: str = ""
    description: str = ""
    kinds: tuple[str, ...] = ()


@dataclass(frozen=True)
class DeliveryRow:
    """An event on its way to an endpoint, as the log shows it."""

    id: str = ""
    kind: str = ""
    when: str = ""
    state: str = ""
    color: Color = "gray"
    tries: str = ""
    about: str = ""


@dataclass(frozen=True)
class AttemptRow:
    """One request, as the dialog shows it."""

    title: str
    when: str
    reason: str
    answer: str


@dataclass(frozen=True)
class LogFilter:
    """Which deliveries are asked for: what is ``ANY`` lets everything through."""

    state: str = ANY

    @property
    def query(self) -> dict[str, str]:
        """As the query of an address, without what lets everything through."""
        return {} if self.state == ANY else {"state": self.state}


def filter_from(query: Mapping[str, str]) -> LogFilter:
    """The filter of an address, which anybody may have written."""
    state = query.get("state", "")
    return LogFilter(state if state in set(WebhookDeliveryState) else ANY)


def endpoint_rows(webhooks: Sequence[Webhook], time_zone: str) -> list[EndpointRow]:
    """Endpoints as the list shows them."""
    return [_endpoint(webhook, time_zone) for webhook in webhooks]


def endpoint_edit(webhook: Webhook) -> EndpointEdit:
    """What the form of an endpoint begins with."""
    kinds = tuple(kind.value for kind in webhook.events or ())
    return EndpointEdit(webhook.id, webhook.url, webhook.description, kinds)


def delivery_row(delivery: WebhookDelivery, time_zone: str) -> DeliveryRow:
    """A delivery as the log shows it."""
    count = delivery.attempts
    about = delivery.reason or ""
    if delivery.next_attempt_at is not None and count:
        about += f" Next attempt {second(delivery.next_attempt_at, time_zone)}."
    return DeliveryRow(
        id=delivery.event_id,
        kind=delivery.kind.value,
        when=second(delivery.occurred_at, time_zone),
        state=STATES.get(delivery.state, delivery.state.value),
        color=_COLORS.get(delivery.state, "gray"),
        tries="1 attempt" if count == 1 else f"{count} attempts",
        about=about.strip(),
    )


def event_text(delivery: WebhookDeliveryDetails) -> str:
    """The event as it is sent, for reading."""
    return delivery.event.model_dump_json(indent=2)


def attempt_rows(delivery: WebhookDeliveryDetails, time_zone: str) -> list[AttemptRow]:
    """The attempts of a delivery, the latest first."""
    return [_attempt(attempt, time_zone) for attempt in delivery.attempt_log]


def replayed(queued: int) -> str:
    """What to say when events were queued again."""
    if not queued:
        return "There is nothing to send again since then."
    return "1 event is sent again." if queued == 1 else f"{queued:,} events are sent again."


def since_from(hours: str, now: datetime) -> datetime:
    """When to replay from; ``hours`` is a choice of the form, a day if it is none."""
    return now - timedelta(hours=int(hours) if hours in REPLAYS else 24)


def _endpoint(webhook: Webhook, time_zone: str) -> EndpointRow:
    color: Color = "green"
    if webhook.disabled_because is not None:
        status, color = "Disabled", "gray"
        about = _BECAUSE.get(webhook.disabled_because, "Disabled")
    elif webhook.failing_since is not None:
        status, color = "Failing", "red"
        about = f"Since {second(webhook.failing_since, time_zone)}"
    else:
        status, about = "Active", ""
    count = None if webhook.events is None else len(webhook.events)
    until = webhook.previous_until
    return EndpointRow(
        id=webhook.id,
        url=webhook.url,
        description=webhook.description,
        events="All events" if count is None else ("1 event" if count == 1 else f"{count} events"),
        enabled=webhook.enabled,
        status=status,
        color=color,
        about=about,
        overlap=""
        if until is None
        else f"Signed by the old secret too until {second(until, time_zone)}",
        created=second(webhook.created_at, time_zone),
    )


def _attempt(attempt: WebhookAttempt, time_zone: str) -> AttemptRow:
    if attempt.duration_ms is None:
        title = f"Attempt {attempt.number}: its end is not known"
    else:
        answered = "no answer" if attempt.status is None else f"{attempt.status}"
        title = f"Attempt {attempt.number}: {answered} after {attempt.duration_ms:,} ms"
    return AttemptRow(
        title,
        second(attempt.at, time_zone),
        attempt.reason or "",
        attempt.answer or "",
    )
