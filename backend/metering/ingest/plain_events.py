"""Events that are plainly within the contract, decoded in one pass: the fast way of ``parsing``.

Never takes what the contract refuses, nor reads it differently; some valid events are not plain.
"""

from __future__ import annotations

import re
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

import msgspec

from backend_client.instants import read_instant
from backend_client.types.cloud_events import own_members
from backend_client.types.events import (
    EVENT_TYPE,
    LONGEST_LABEL_NAME_BYTES,
    LONGEST_NAME_BYTES,
)

_MOST_ENTRIES = 32
_METER = re.compile(r"[a-z][a-z0-9_]{0,62}")
_WHOLE_DIGITS = 21
_DECIMALS = 9
_TOO_MANY_UNITS = 10**_WHOLE_DIGITS


class SentData(msgspec.Struct, gc=False):
    """What was used, as sent."""

    application: str
    model: str
    quantities: dict[str, Decimal]
    key: str | None = None
    upstream: str | None = None
    labels: dict[str, str] = {}
    counted: dict[str, Decimal] | None = None


class SentEvent(msgspec.Struct, gc=False):
    """A usage event as sent, within the contract."""

    id: str
    source: str
    data: SentData
    subject: str | None = None
    time: datetime | None = None


class _WireData(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """Quantities are of any type: as ``Decimal``, a text such as ``1_000`` would be a number."""

    application: str
    model: str
    quantities: dict[str, Any]
    key: str | None = None
    upstream: str | None = None
    labels: dict[str, str] = {}
    counted: dict[str, Any] | None = None


class _WireEvent(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """The time is a text: msgspec would round what is finer than a microsecond."""

    id: str
    source: str
    data: _WireData
    specversion: str = "1.0"
    type: str = EVENT_TYPE
    subject: str | None = None
    time: str | None = None
    datacontenttype: str | None = None
    # Extension attributes that programs add by themselves; others take the slower way
    dataschema: str | None = None
    traceparent: str | None = None
    tracestate: str | None = None


_MEMBERS = frozenset(_WireEvent.__struct_fields__)

# Numbers with decimals are exact only as Decimal
_batch = msgspec.json.Decoder(list[_WireEvent], float_hook=Decimal)
_alone = msgspec.json.Decoder(_WireEvent, float_hook=Decimal)


def plain_event(member: bytes | msgspec.Raw) -> SentEvent | None:
    """Read an event; None if it needs the slower way."""
    try:
        return _plain(_alone.decode(member))
    except (msgspec.DecodeError, RecursionError, ValueError):
        return None


def plain_document(document: object) -> SentEvent | None:
    """Read an event that was parsed already; None if it needs the slower way.

    For events with extension attributes other than the above.
    """
    if not isinstance(document, dict):
        return None
    try:
        members = own_members(document, _MEMBERS)
        return _plain(msgspec.convert(members, _WireEvent))
    except (msgspec.ValidationError, ValueError):
        return None


def plain_events(body: bytes) -> list[SentEvent] | None:
    """Read an array of events; None if any of them needs the slower way."""
    events = []
    try:
        for wire in _batch.decode(body):
            event = _plain(wire)
            if event is None:
                return None
            events.append(event)
    except (msgspec.DecodeError, RecursionError, ValueError):
        return None
    return events


def _plain(wire: _WireEvent) -> SentEvent | None:
    """Return the event; None unless it is surely within the contract."""
    data = wire.data
    if not (
        wire.specversion == "1.0"
        and wire.type == EVENT_TYPE
        and wire.datacontenttype in (None, "application/json")
        and _is_name(wire.id)
        and _is_repeated_name(wire.source)
        and (wire.subject is None or _is_repeated_name(wire.subject))
        and _is_repeated_name(data.application)
        and _is_repeated_name(data.model)
        and (data.key is None or _is_repeated_name(data.key))
        and (data.upstream is None or _is_repeated_name(data.upstream))
        and (not data.labels or _are_labels(data.labels))
    ):
        return None
    time = None
    if wire.time is not None:
        time = read_instant(wire.time)
        if not 1900 <= time.year < 9000:
            return None
    quantities = _quantities(data.quantities)
    counted = None
    if data.counted is not None:
        counted = _quantities(data.counted)
        if counted is None:
            return None
    if not quantities:
        return None
    used = SentData(
        data.application,
        data.model,
        quantities,
        data.key,
        data.upstream,
        data.labels,
        counted,
    )
    return SentEvent(wire.id, wire.source, used, wire.subject, time)


# Loops and repeated conditions below: they run for every event, and a generator expression or one
# more function would take half as long again


def _is_name(text: str) -> bool:
    return (
        0 < len(text) <= LONGEST_NAME_BYTES
        and text.isprintable()  # which no surrogate is, so that it can be encoded
        and (text.isascii() or len(text.encode()) <= LONGEST_NAME_BYTES)
    )


_is_repeated_name = lru_cache(maxsize=4096)(_is_name)
"""For names that many events have in common."""


def _are_labels(labels: dict[str, str]) -> bool:
    if len(labels) > _MOST_ENTRIES:
        return False
    for name, value in labels.items():
        if not (
            0 < len(name) <= LONGEST_LABEL_NAME_BYTES
            and name.isprintable()
            and (name.isascii() or len(name.encode()) <= LONGEST_LABEL_NAME_BYTES)
            and (not value or _is_name(value))
        ):
            return False
    return True


def _quantities(sent: dict[str, Any]) -> dict[str, Decimal] | None:
    if len(sent) > _MOST_ENTRIES:
        return None
    quantities: dict[str, Decimal] = {}
    for meter, value in sent.items():
        kind = type(value)
        if not _is_meter(meter):
            return None
        if kind is int:
            if not 0 <= value < _TOO_MANY_UNITS:
                return None
            quantities[meter] = Decimal(value)
        elif kind is Decimal and _is_quantity(value):
            quantities[meter] = value
        elif kind is str and _is_number(value):
            quantities[meter] = Decimal(value)
        else:
            return None
    return quantities


@lru_cache(maxsize=4096)
def _is_meter(name: str) -> bool:
    return _METER.fullmatch(name) is not None


def _is_number(text: str) -> bool:
    whole, point, decimals = text.partition(".")
    return (
        text.isascii()
        and whole.isdigit()
        and len(whole) <= _WHOLE_DIGITS
        and (not point or (decimals.isdigit() and len(decimals) <= _DECIMALS))
    )


def _is_quantity(quantity: Decimal) -> bool:
    sign, digits, exponent = quantity.as_tuple()
    return (
        sign == 0
        and isinstance(exponent, int)  # infinity and NaN have a letter there
        and -_DECIMALS <= exponent <= 0
        and len(digits) + exponent <= _WHOLE_DIGITS
    )
