"""Notifications as the list and the dialog show them. Plain functions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from backend_client.types.notifications import (
    ChannelName,
    Delivery,
    DeliveryState,
    Notification,
    NotificationKind,
    NotificationState,
)
from portal.kit.color import Color
from portal.kit.formatting import second

ANY = "any"
"""No filter: a list can't have an empty value."""
CHANNELS = {ChannelName.WEBHOOK: "Webhook", ChannelName.EMAIL: "E-mail"}
STATES = {
    NotificationState.FAILED: "Failed",
    NotificationState.WAITING: "Waiting",
    NotificationState.DELIVERED: "Delivered",
    NotificationState.RECORDED: "Not sent",
}
_COLORS: dict[NotificationState, Color] = {
    NotificationState.FAILED: "red",
    NotificationState.WAITING: "orange",
    NotificationState.DELIVERED: "green",
    NotificationState.RECORDED: "gray",
}
_DELIVERIES = {
    DeliveryState.WAITING: "Waiting",
    DeliveryState.DELIVERED: "Delivered",
    DeliveryState.FAILED: "Given up",
    DeliveryState.SKIPPED: "Not needed any more",
}


@dataclass(frozen=True)
class NotificationFilter:
    """What is asked for: all that is ``ANY`` lets everything through."""

    kind: str = ANY
    state: str = ANY
    tenant: str = ""

    @property
    def query(self) -> dict[str, str]:
        """As the query of an address, without what lets everything through."""
        written = {"kind": self.kind, "state": self.state, "tenant": self.tenant}
        return {name: value for name, value in written.items() if value not in ("", ANY)}


def filter_from(query: Mapping[str, str]) -> NotificationFilter:
    """The filter of an address, which anybody may have written."""
    kind, state = query.get("kind", ""), query.get("state", "")
    return NotificationFilter(
        kind if kind in set(NotificationKind) else ANY,
        state if state in set(NotificationState) else ANY,
        query.get("tenant", "").strip()[:200],
    )


@dataclass(frozen=True)
class DeliveryRow:
    """How far a notification came on one channel."""

    channel: str
    channel_name: str
    state: str
    attempts: int
    when: str
    reason: str


@dataclass(frozen=True)
class NotificationRow:
    """A notification as the list shows it; ``json`` is what its webhook says, in the dialog."""

    id: str = ""
    when: str = ""
    kind: str = ""
    customer: str = ""
    state: str = ""
    color: Color = "gray"
    summary: str = ""
    json: str = ""


def notification_row(
    notification: Notification, names: Mapping[str, str], time_zone: str
) -> NotificationRow:
    """A notification as the list shows it; ``names`` are the customers' by id."""
    event = notification.event
    return NotificationRow(
        id=notification.id,
        when=second(event.timestamp, time_zone),
        kind=event.type.value,
        customer=names.get(event.tenant_id, event.tenant_id),
        state=STATES.get(notification.state, notification.state.value),
        color=_COLORS.get(notification.state, "gray"),
        summary=" · ".join(_summary(delivery) for delivery in notification.deliveries),
    )


def with_event(row: NotificationRow, notification: Notification) -> NotificationRow:
    """The row with all that its webhook says."""
    return replace(row, json=notification.event.model_dump_json(indent=2))


def delivery_rows(notification: Notification, time_zone: str) -> list[DeliveryRow]:
    """How far a notification came on each channel."""
    return [
        DeliveryRow(
            channel=delivery.channel.value,
            channel_name=CHANNELS.get(delivery.channel, delivery.channel.value),
            state=_DELIVERIES.get(delivery.state, delivery.state.value),
            attempts=delivery.attempts,
            when=_when(delivery, time_zone),
            reason=delivery.reason or "",
        )
        for delivery in notification.deliveries
    ]


def _summary(delivery: Delivery) -> str:
    name = CHANNELS.get(delivery.channel, delivery.channel.value)
    tries = "" if delivery.attempts < 2 else f" ({delivery.attempts} tries)"
    return f"{name}: {_DELIVERIES.get(delivery.state, delivery.state.value).lower()}{tries}"


def _when(delivery: Delivery, time_zone: str) -> str:
    if delivery.delivered_at is not None:
        return f"Delivered {second(delivery.delivered_at, time_zone)}"
    if delivery.next_attempt_at is not None:
        return f"Next try {second(delivery.next_attempt_at, time_zone)}"
    return ""
