"""Parse what is sent to ingest: bodies into members, members into events or refusals.

``backend_client.types.events.UsageEvent`` is the contract. Events that are plainly within it are
decoded in one pass by msgspec; all others by pydantic, which decides, and whose reasons are
reported.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Annotated, Any

import msgspec
from pydantic import ValidationError

from backend.errors import MalformedRequest
from backend.metering.errors import BatchTooLarge
from backend.metering.ingest.json_members import TooManyMembers, members_of
from backend_client.types.events import (
    EVENT_TYPE,
    LONGEST_LABEL_NAME_BYTES,
    LONGEST_NAME_BYTES,
    UsageEvent,
)

MAX_BATCH = 10_000
_MOST_ENTRIES = 32
_METER = re.compile(r"[a-z][a-z0-9_]{0,62}")
_LINE = re.compile(rb"[^\n]+")
_WHOLE_DIGITS = 21
_DECIMALS = 9
_MOST_COMMAS = 1_000_000
_SHOWN = 200  # characters of a wrong id or name
_BOM = b"\xef\xbb\xbf"  # RFC 8259 lets a reader ignore it, and some clients write it


class SentData(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """What was used, as sent."""

    application: str
    model: str
    quantities: dict[str, Decimal]
    key: str | None = None
    labels: dict[str, str] = {}
    counted: dict[str, Decimal] | None = None


class SentEvent(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """A usage event as sent, within the contract."""

    id: str
    source: str
    data: SentData
    specversion: str = "1.0"
    type: str = EVENT_TYPE
    subject: str | None = None
    time: Annotated[datetime, msgspec.Meta(tz=True)] | None = None
    datacontenttype: str | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a member was refused. ``field`` is None if it is about the whole event."""

    event_id: str | None
    field: str | None
    detail: str


_all_at_once = msgspec.json.Decoder(list[SentEvent])
_one = msgspec.json.Decoder(SentEvent)
_alone = msgspec.json.Decoder(msgspec.Raw)
_apart = msgspec.json.Decoder(list[msgspec.Raw])

# As Decimal: a float would lose digits.
_anything = msgspec.json.Decoder(float_hook=Decimal)


def read_json(body: bytes) -> list[SentEvent | Refusal]:
    """Read one event or an array of them. Of two members with one name the last counts.

    Raises ``MalformedRequest`` if the body is not JSON, ``TooLarge`` if there are too many.
    """
    body = body.removeprefix(_BOM)
    try:
        if not body.lstrip().startswith(b"["):
            return [read_member(_alone.decode(body))]
        events = _read_all(body)
        if events is not None:
            return events
        return [read_member(member) for member in _members(body)]
    except TooManyMembers as error:
        raise BatchTooLarge(f"A batch holds at most {MAX_BATCH:,} events.") from error
    except (msgspec.DecodeError, RecursionError, ValueError) as error:
        raise MalformedRequest(f"The body is not valid JSON: {error}") from error


def read_lines(body: bytes) -> list[SentEvent | Refusal]:
    """Read NDJSON: an event on each line; empty lines don't count.

    Raises ``TooLarge`` if there are too many.
    """
    lines: list[bytes] = []
    for match in _LINE.finditer(body.removeprefix(_BOM)):
        line = match[0]
        if not line.isspace():
            lines.append(line)
            _check_count(len(lines))
    return [read_member(line) for line in lines]


def read_member(member: bytes | msgspec.Raw) -> SentEvent | Refusal:
    """Read one event, or say why it can't be."""
    try:
        event = _one.decode(member)
    except (msgspec.DecodeError, RecursionError, ValueError):
        return _read_by_contract(member)
    return event if _is_plain(event) else _read_by_contract(member)


def _read_all(body: bytes) -> list[SentEvent | Refusal] | None:
    """Read a batch in one pass; None if a part of it needs the slower way."""
    try:
        events = _all_at_once.decode(body)
    except (msgspec.DecodeError, RecursionError, ValueError):
        return None
    _check_count(len(events))
    return [
        event if _is_plain(event) else _read_by_contract(msgspec.json.encode(event))
        for event in events
    ]


def _members(body: bytes) -> Sequence[bytes | msgspec.Raw]:
    """Divide a batch into its members; raise what ``members_of`` does."""
    if body.count(b",") <= _MOST_COMMAS:  # bounds the memory of the faster way
        with suppress(
            msgspec.DecodeError, RecursionError, ValueError
        ):  # one of the members is malformed
            members = _apart.decode(body)
            _check_count(len(members))
            return members
    return members_of(body, most=MAX_BATCH)


def _check_count(count: int) -> None:
    if count > MAX_BATCH:
        raise BatchTooLarge(f"A batch holds at most {MAX_BATCH:,} events.")


def _is_plain(event: SentEvent) -> bool:
    """Return whether an event is surely within the contract; some valid ones are not plain."""
    data = event.data
    return (
        event.specversion == "1.0"
        and event.type == EVENT_TYPE
        and event.datacontenttype in (None, "application/json")
        and (event.time is None or 1900 <= event.time.year < 9000)
        and _is_name(event.id)
        and _is_name(event.source)
        and (event.subject is None or _is_name(event.subject))
        and _is_name(data.application)
        and _is_name(data.model)
        and (data.key is None or _is_name(data.key))
        and 0 < len(data.quantities) <= _MOST_ENTRIES
        and _are_quantities(data.quantities)
        and (not data.labels or _are_labels(data.labels))
        and (
            data.counted is None
            or (len(data.counted) <= _MOST_ENTRIES and _are_quantities(data.counted))
        )
    )


def _is_name(text: str) -> bool:
    return bool(text) and _fits(text, LONGEST_NAME_BYTES)


def _fits(text: str, most_bytes: int) -> bool:
    return (
        len(text) <= most_bytes
        and text.isprintable()  # which no surrogate is, so that it can be encoded
        and (text.isascii() or len(text.encode()) <= most_bytes)
    )


def _are_labels(labels: dict[str, str]) -> bool:
    return len(labels) <= _MOST_ENTRIES and all(
        bool(name) and _fits(name, LONGEST_LABEL_NAME_BYTES) and _fits(value, LONGEST_NAME_BYTES)
        for name, value in labels.items()
    )


def _are_quantities(quantities: dict[str, Decimal]) -> bool:
    # A loop: it runs for every event, and a generator expression would take twice as long
    for meter, quantity in quantities.items():
        if not (_is_meter(meter) and _is_quantity(quantity)):
            return False
    return True


@lru_cache(maxsize=4096)
def _is_meter(name: str) -> bool:
    return _METER.fullmatch(name) is not None


def _is_quantity(quantity: Decimal) -> bool:
    text = str(quantity)
    if text.isdigit():
        return len(text) <= _WHOLE_DIGITS
    sign, digits, exponent = quantity.as_tuple()
    return (
        sign == 0
        and isinstance(exponent, int)  # infinity and NaN have a letter there
        and -_DECIMALS <= exponent <= 0
        and len(digits) + exponent <= _WHOLE_DIGITS
    )


def read_document(document: object) -> SentEvent | Refusal:
    """Read an event that was parsed already, or say why it can't be."""
    try:
        event = UsageEvent.model_validate(document)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        field = ".".join(str(part)[:_SHOWN] for part in first["loc"]) or None
        return Refusal(_id_of(document), field, first["msg"])
    return _sent(event)


def _read_by_contract(member: bytes | msgspec.Raw) -> SentEvent | Refusal:
    try:
        document = _anything.decode(member)
    except (msgspec.DecodeError, RecursionError, ValueError) as error:
        return Refusal(None, None, f"is not valid JSON: {error}")
    return read_document(document)


def _id_of(document: object) -> str | None:
    value: Any = document.get("id") if isinstance(document, dict) else None
    return value[:_SHOWN] if isinstance(value, str) else None


def _sent(event: UsageEvent) -> SentEvent:
    data = event.data
    return SentEvent(
        id=event.id,
        source=event.source,
        data=SentData(
            application=data.application,
            model=data.model,
            quantities=dict(data.quantities),
            key=data.key,
            labels=dict(data.labels),
            counted=None if data.counted is None else dict(data.counted),
        ),
        subject=event.subject,
        time=event.time,
    )
