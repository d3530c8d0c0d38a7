"""A change of usage as events that Amberflo adds up, or takes back. Pure.

Amberflo documents no value below zero. An event is taken back by sending it again with a dimension
that says so (https://docs.amberflo.io/docs/meter-events-cancellation): so a sum that becomes less
takes back what was sent of it, and sends what is left as one event.

A repeated event is known by its id, its meter and its time. Each change of a sum has a time of its
own, a millisecond after the one before, so that no two are taken for one by their time alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from backend.platforms.adapter import Refused
from backend.platforms.amberflo.mapping import Json, meter_name
from backend.platforms.amberflo.numbers import to_number
from backend.platforms.documents import SentDelta, UsageDelta
from backend.pricing.money import exact_arithmetic

TAKES_BACK: Final = "aflo.cancel_previous_resource_event"
"""The dimension by which an event takes back the one before it."""
_MOST_REVISIONS: Final = 899_999
"""The milliseconds of a quarter hour, less the first."""


@dataclass(frozen=True, slots=True)
class _Event:
    identifier: str
    revision: int
    value: Decimal


def events_of(delta: UsageDelta) -> list[Json]:
    """Return the events that bring a change about; raise ``Refused`` if they can't."""
    if delta.quantity >= 0:
        return [_json(delta, _Event(delta.identifier, delta.revision, delta.quantity))]
    standing = _standing(delta.earlier)
    left = _sum(standing) + delta.quantity
    if left < 0:
        raise Refused("It takes back more than Amberflo took: replay what it refused first.")
    events = [_json(delta, event, takes_back=True) for event in standing]
    if left:
        events.append(_json(delta, _Event(delta.identifier, delta.revision, left)))
    return events


def _standing(earlier: Iterable[SentDelta]) -> list[_Event]:
    """Return what Amberflo counts of a sum after these changes, in the order that they came."""
    standing: list[_Event] = []
    for sent in earlier:
        value = sent.quantity
        if value < 0:
            value += _sum(standing)
            standing = []
        if value:
            standing.append(_Event(sent.identifier, sent.revision, value))
    return standing


def _sum(events: Iterable[_Event]) -> Decimal:
    with exact_arithmetic():
        return sum((event.value for event in events), Decimal(0))


def _json(delta: UsageDelta, event: _Event, *, takes_back: bool = False) -> Json:
    written: Json = {
        "uniqueId": event.identifier,
        "meterApiName": meter_name(delta.meter, delta.model),
        "meterValue": to_number(event.value),
        "customerId": delta.customer,
        "meterTimeInMillis": _milliseconds(delta.at, event.revision),
    }
    if takes_back:
        written["dimensions"] = {TAKES_BACK: "true"}
    return written


def _milliseconds(bucket: datetime, revision: int) -> int:
    after = timedelta(milliseconds=min(revision - 1, _MOST_REVISIONS))
    return int((bucket + after).timestamp() * 1000)
