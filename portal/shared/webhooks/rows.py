"""Endpoints and deliveries as tables show them. Plain functions."""

from __future__ import annotations

from dataclasses import dataclass

from backend_client.types.webhooks import (
    DisabledBecause,
    TenantWebhook,
    Webhook,
    WebhookDelivery,
    WebhookDeliveryState,
)
from portal.kit.color import Color
from portal.kit.formatting import count, second

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
_BECAUSE = {
    DisabledBecause.BY_HAND: "Disabled by hand",
    DisabledBecause.FAILING: "Disabled: every attempt failed for days",
    DisabledBecause.GONE: "Disabled: it answered that it is gone",
}


@dataclass(frozen=True)
class EndpointRow:
    """An endpoint as a list shows it. There is no secret in it: the API has none to give.

    ``waiting`` and ``failed`` are deliveries, as the operator alone gets them counted.
    """

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
    waiting: str = ""
    failed: str = ""


@dataclass(frozen=True)
class DeliveryRow:
    """An event on its way to an endpoint, as a log shows it."""

    id: str = ""
    kind: str = ""
    when: str = ""
    state: str = ""
    color: Color = "gray"
    tries: str = ""
    about: str = ""


def endpoint_row(webhook: Webhook, time_zone: str) -> EndpointRow:
    """An endpoint as a list shows it."""
    status, color, about = _standing(webhook, time_zone)
    kinds = None if webhook.events is None else len(webhook.events)
    until = webhook.previous_until
    counted = webhook if isinstance(webhook, TenantWebhook) else None
    return EndpointRow(
        id=webhook.id,
        url=webhook.url,
        description=webhook.description,
        events="All events" if kinds is None else ("1 event" if kinds == 1 else f"{kinds} events"),
        enabled=webhook.enabled,
        status=status,
        color=color,
        about=about,
        overlap=""
        if until is None
        else f"Signed by the old secret too until {second(until, time_zone)}",
        created=second(webhook.created_at, time_zone),
        waiting="" if counted is None else count(counted.waiting),
        failed="" if counted is None else count(counted.failed),
    )


def delivery_row(delivery: WebhookDelivery, time_zone: str) -> DeliveryRow:
    """A delivery as a log shows it."""
    attempts = delivery.attempts
    about = delivery.reason or ""
    if delivery.next_attempt_at is not None and attempts:
        about += f" Next attempt {second(delivery.next_attempt_at, time_zone)}."
    return DeliveryRow(
        id=delivery.event_id,
        kind=delivery.kind.value,
        when=second(delivery.occurred_at, time_zone),
        state=STATES.get(delivery.state, delivery.state.value),
        color=_COLORS.get(delivery.state, "gray"),
        tries="1 attempt" if attempts == 1 else f"{count(attempts)} attempts",
        about=about.strip(),
    )


def _standing(webhook: Webhook, time_zone: str) -> tuple[str, Color, str]:
    """How an endpoint fares: in a word, its color, and why."""
    if webhook.disabled_because is not None:
        return "Disabled", "gray", _BECAUSE.get(webhook.disabled_because, "Disabled")
    if webhook.failing_since is not None:
        return "Failing", "red", f"Since {second(webhook.failing_since, time_zone)}"
    return "Active", "green", ""
