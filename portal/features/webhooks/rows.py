"""Endpoints and deliveries as the page shows them. Plain functions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from backend_client.types.webhooks import (
    Webhook,
    WebhookAttempt,
    WebhookDeliveryDetails,
    WebhookDeliveryState,
)
from portal.kit.formatting import second

ANY = "any"
"""No filter: a list can't have an empty value."""
REPLAYS = {"1": "An hour", "24": "A day", "168": "A week", "720": "30 days", "2160": "90 days"}
"""How far a replay goes back, in hours."""


@dataclass(frozen=True)
class EndpointEdit:
    """What a form begins with; ``kinds`` is empty for an endpoint that is sent all."""

    id: str = ""
    url: str = ""
    description: str = ""
    kinds: tuple[str, ...] = ()


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


def endpoint_edit(webhook: Webhook) -> EndpointEdit:
    """What the form of an endpoint begins with."""
    kinds = tuple(kind.value for kind in webhook.events or ())
    return EndpointEdit(webhook.id, webhook.url, webhook.description, kinds)


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
