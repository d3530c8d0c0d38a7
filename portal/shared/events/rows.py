"""Usage events as the events page shows them. Plain functions."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from backend_client.types.common import plain
from backend_client.types.events import METERS, StoredEvent
from portal.kit.color import Color
from portal.kit.facts import FactRow
from portal.kit.formatting import count, meter_name, second

STATES: dict[str, tuple[str, Color]] = {
    "counted": ("", "gray"),
    "amended": ("Amended", "blue"),
    "voided": ("Voided", "orange"),
}
SENDERS = {
    "gateway": "The gateway",
    "operator": "The API’s operator",
    "tenant": "The customer’s own services",
}
GATEWAY_LABELS = {
    "status": "Status",
    "usage_source": "Usage reported by",
    "request_id": "Request",
    "answer_id": "Provider's id",
    "attempts": "Attempts",
    "first_token_ms": "First token, ms",
}
"""Labels that the gateway sets itself, and what they are called to people."""


@dataclass(frozen=True)
class EventRow:
    """An event in the list. ``fresh`` ones have just come in."""

    id: str
    sender: str
    source: str
    day: str
    time: str
    application: str
    key: str
    model: str
    quantities: str
    state: str
    color: Color
    fresh: bool = False


@dataclass(frozen=True)
class QuantityRow:
    """What an event counts in a meter, and what the local tokenizer counted beside it."""

    meter: str
    quantity: str
    counted: str


def event_row(
    event: StoredEvent, names: Mapping[str, str], time_zone: str, *, fresh: bool = False
) -> EventRow:
    """An event as the list shows it."""
    state, color = STATES[event_state(event)]
    day, _, time = second(event.time, time_zone).rpartition(", ")
    return EventRow(
        id=event.id,
        sender=event.sender,
        source=event.source,
        day=day,
        time=time,
        application=names.get(event.application, event.application),
        key="" if event.key is None else names.get(event.key, event.key),
        model=event.model,
        quantities=quantities_note(event.quantities),
        state=state,
        color=color,
        fresh=fresh,
    )


def identity(event: StoredEvent) -> tuple[str, str, str]:
    """What one event of a tenant is known by."""
    return event.sender, event.source, event.id


def event_state(event: StoredEvent) -> str:
    """``counted`` as it was sent, ``amended`` or ``voided`` by its last correction."""
    if event.voided:
        return "voided"
    return "amended" if event.corrected_at is not None else "counted"


def quantities_note(quantities: Mapping[str, Decimal]) -> str:
    """What an event counts, in a line: ``1,200 input tokens · 310 output tokens``."""
    return " · ".join(amount(meter, quantities[meter]) for meter in in_order(quantities))


def amount(meter: str, quantity: Decimal) -> str:
    """A quantity with what it counts: ``1,200 input tokens``, ``1 request``."""
    name = meter_name(meter).lower()
    is_singular = quantity == 1 and meter in METERS
    return f"{count(quantity)} {name.removesuffix('s') if is_singular else name}"


def quantity_rows(event: StoredEvent) -> list[QuantityRow]:
    """What an event counts, a meter a line."""
    counted = event.counted or {}
    meters = in_order({**event.quantities, **counted})
    return [
        QuantityRow(
            meter=meter_name(meter),
            quantity=count(event.quantities[meter]) if meter in event.quantities else "–",
            counted=count(counted[meter]) if meter in counted else "–",
        )
        for meter in meters
    ]


def fact_rows(event: StoredEvent, names: Mapping[str, str], time_zone: str) -> list[FactRow]:
    """All that is known of an event beside its quantities."""
    key = "None" if event.key is None else named(event.key, names)
    return [
        FactRow("Id", event.id),
        FactRow("Sent by", SENDERS[event.sender]),
        FactRow("Source", event.source),
        FactRow("Used", second(event.time, time_zone)),
        FactRow("Received", second(event.received_at, time_zone)),
        FactRow("Application", named(event.application, names)),
        FactRow("Key", key),
        FactRow("Model", event.model),
        *(
            FactRow(GATEWAY_LABELS.get(name, f"Label {name}"), value or "–")
            for name, value in sorted(event.labels.items())
        ),
    ]


def named(id_: str, names: Mapping[str, str]) -> str:
    """What something is called, with its id; the id alone if it has no name any more."""
    return f"{names[id_]}, {id_}" if id_ in names else id_


def in_order(quantities: Mapping[str, object]) -> list[str]:
    """The meters of an event: Farebox's own in their order, then the operator's by name."""
    own = [meter for meter in METERS if meter in quantities]
    return [*own, *sorted(quantities.keys() - set(METERS))]


def event_json(event: StoredEvent) -> str:
    """An event's data as it counts now, as ``POST /v1/events`` takes it; for copying."""
    data: dict[str, object] = {"application": event.application, "model": event.model}
    if event.key is not None:
        data["key"] = event.key
    data["quantities"] = {
        meter: plain(event.quantities[meter]) for meter in in_order(event.quantities)
    }
    if event.labels:
        data["labels"] = event.labels
    whole = {
        "specversion": "1.0",
        "type": "ai.usage",
        "id": event.id,
        "source": event.source,
        "time": event.time.isoformat().replace("+00:00", "Z"),
        "data": data,
    }
    return json.dumps(whole, indent=2, ensure_ascii=False)
