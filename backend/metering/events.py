"""An accepted event: checked, exact, with its tenant and application."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final, Literal, TypeAlias

import msgspec

GATEWAY_SOURCE: Final = "farebox://gateway"
"""The source of the events that the gateway makes. Rules go by their sender, never by this."""

Sender: TypeAlias = Literal["gateway", "operator", "tenant"]
"""Who sent an event: our gateway, the seller's services, or the customer. By the credential."""

SENDERS: Final = ("gateway", "operator", "tenant")

Identity: TypeAlias = tuple[str, str, str, str]
"""Tenant, sender, source and id."""

BUCKET = timedelta(minutes=15)
"""Width of a rollup: every real UTC offset is a multiple of it."""


class AcceptedEvent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """The form that is published and counted.

    Its identity is (``tenant_id``, ``sender``, ``source``, ``id``): what a customer sends never
    stands in the place of what the seller sends.

    ``time`` is when the usage happened, ``received_at`` when Farebox accepted it, both in UTC.
    ``key_id`` is empty if no key was used, ``upstream`` if nobody said who served the model.
    ``counted`` is the local tokenizer's count. Events are
    in no reference cycle, so ``gc=False`` spares the garbage collector many objects.
    """

    tenant_id: str
    sender: Sender = "operator"
    source: str
    id: str
    time: datetime
    received_at: datetime
    application_id: str
    model: str
    quantities: dict[str, Decimal]
    key_id: str = ""
    upstream: str = ""
    labels: dict[str, str] = {}
    counted: dict[str, Decimal] | None = None

    @property
    def identity(self) -> Identity:
        """What makes it count once."""
        return (self.tenant_id, self.sender, self.source, self.id)

    @property
    def bucket(self) -> datetime:
        """The start of the event's quarter hour (UTC)."""
        return bucket_start(self.time)


def bucket_start(moment: datetime) -> datetime:
    """Return the start of the quarter hour (UTC) that ``moment`` is in."""
    utc = moment if moment.tzinfo is UTC else moment.astimezone(UTC)
    return utc.replace(minute=utc.minute - utc.minute % 15, second=0, microsecond=0)


_encoder = msgspec.json.Encoder()  # writes a Decimal as a string: no digit passes through a float
_decoder = msgspec.json.Decoder(list[AcceptedEvent])

_MESSAGE_EVENTS = 500
_MESSAGE_BYTES = 700_000  # below the NATS default of 1 MiB, with room for headers


def encode(events: Sequence[AcceptedEvent]) -> bytes:
    """Write events as one message of the stream."""
    return _encoder.encode(events)


def decode(message: bytes) -> list[AcceptedEvent]:
    """Read a message of the stream; raise ``msgspec.DecodeError`` if it is not one."""
    events = _decoder.decode(message)
    # Published before senders were recorded: nobody but the gateway may use its source since
    if any(event.source == GATEWAY_SOURCE and event.sender != "gateway" for event in events):
        return [
            msgspec.structs.replace(event, sender="gateway")
            if event.source == GATEWAY_SOURCE
            else event
            for event in events
        ]
    return events


def messages(events: Sequence[AcceptedEvent]) -> Iterator[bytes]:
    """Pack events into as few messages as their limits of size and number allow."""
    for start in range(0, len(events), _MESSAGE_EVENTS):
        yield from _within_bytes(events[start : start + _MESSAGE_EVENTS])


def _within_bytes(events: Sequence[AcceptedEvent]) -> Iterator[bytes]:
    message = encode(events)
    if len(message) <= _MESSAGE_BYTES or len(events) == 1:
        yield message
    else:
        half = len(events) // 2
        yield from _within_bytes(events[:half])
        yield from _within_bytes(events[half:])
