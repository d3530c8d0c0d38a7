"""Parse what is sent to ingest: bodies into members, members into events or refusals.

``backend_client.types.events.UsageEvent`` is the contract. Events that are plainly within it are
decoded in one pass by msgspec (``plain_events``); all others by pydantic, which decides, and whose
reasons are reported.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from decimal import Decimal

import msgspec
from pydantic import ValidationError

from backend.errors import MalformedRequest
from backend.metering.errors import BatchTooLarge
from backend.metering.ingest.json_members import TooManyMembers, members_of
from backend.metering.ingest.plain_events import (
    SentData,
    SentEvent,
    plain_document,
    plain_event,
    plain_events,
)
from backend.metering.refusals.refusal import Refusal, refusal_of
from backend_client.types.events import UsageEvent

MAX_BATCH = 10_000
_ARRAY = re.compile(rb"(?:\xef\xbb\xbf)?\s*\[")
_LINE = re.compile(rb"[^\n]+")
_MOST_COMMAS = 1_000_000
_BOM = b"\xef\xbb\xbf"  # RFC 8259 lets a reader ignore it, and some clients write it

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
        if not is_array(body):
            return [read_member(_alone.decode(body))]
        events = _read_all(body)
        if events is not None:
            return events
        return [read_member(member) for member in _members(body)]
    except TooManyMembers as error:
        raise BatchTooLarge(f"A batch holds at most {MAX_BATCH:,} events.") from error
    except (msgspec.DecodeError, RecursionError, ValueError) as error:
        raise MalformedRequest(f"The body is not valid JSON: {error}") from error


def is_array(body: bytes) -> bool:
    """Return whether a body is an array of events, and not one alone."""
    return _ARRAY.match(body) is not None


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
    return plain_event(member) or _read_by_contract(member)


def _read_all(body: bytes) -> list[SentEvent | Refusal] | None:
    """Read a batch in one pass; None if a part of it needs the slower way."""
    if body.count(b",") > _MOST_COMMAS:  # bounds the memory of what turns out to be no event
        return None
    events = plain_events(body)
    if events is not None:
        _check_count(len(events))
        return [*events]
    return None


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


def read_document(document: object) -> SentEvent | Refusal:
    """Read an event that was parsed already, or say why it can't be."""
    try:
        event = UsageEvent.model_validate(document)
    except ValidationError as error:
        return refusal_of(document, error)
    return _sent(event)


def _read_by_contract(member: bytes | msgspec.Raw) -> SentEvent | Refusal:
    try:
        document = _anything.decode(member)
    except (msgspec.DecodeError, RecursionError, ValueError) as error:
        return Refusal(None, None, f"is not valid JSON: {error}")
    return plain_document(document) or read_document(document)


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
            upstream=data.upstream,
            labels=dict(data.labels),
            counted=None if data.counted is None else dict(data.counted),
        ),
        subject=event.subject,
        time=event.time,
    )
