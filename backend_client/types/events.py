"""Usage events: CloudEvents 1.0 of type ``ai.usage``, and the answer to sending them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Final, Literal, TypeAlias, TypedDict

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from backend_client.types.cloud_events import json_kind, own_members
from backend_client.types.common import Answer, Exact, Instant, Wire

EVENT_TYPE: Final = "ai.usage"
Sender: TypeAlias = Literal["gateway", "operator", "tenant"]
"""Who sent an event, by the credential: the gateway, the seller's services, or the customer."""
METERS = (
    "requests",
    "input_tokens",
    "cached_input_tokens",
    "cache_write_tokens",
    "cache_write_1h_tokens",
    "audio_input_tokens",
    "image_input_tokens",
    "output_tokens",
    "reasoning_tokens",
    "audio_output_tokens",
    "image_output_tokens",
    "images",
    "searches",
    "characters",
    "audio_seconds",
)
"""Farebox's own meters. They are disjoint: a token counts in one of them, never in two."""

LONGEST_NAME_BYTES: Final = 200
"""In UTF-8, of names and of labels' values: an index row of the rollups holds them all."""
LONGEST_LABEL_NAME_BYTES: Final = 100


def _within_bytes(text: str) -> str:
    if not text.isascii() and len(text.encode()) > LONGEST_NAME_BYTES:
        raise ValueError(f"has more than {LONGEST_NAME_BYTES} bytes in UTF-8")
    return text


def _within_label_bytes(text: str) -> str:
    if len(text.encode()) > LONGEST_LABEL_NAME_BYTES:
        raise ValueError(f"has more than {LONGEST_LABEL_NAME_BYTES} bytes in UTF-8")
    return text


Name = Annotated[
    str,
    StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$"),
    AfterValidator(_within_bytes),
]
LabelName = Annotated[
    str,
    StringConstraints(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]+$"),
    AfterValidator(_within_label_bytes),
]
# No NUL and no lone surrogate: PostgreSQL could not store an event that was accepted with one.
LabelValue = Annotated[
    str,
    StringConstraints(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$"),
    AfterValidator(_within_bytes),
]
MeterName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,62}$")]


def _no_power_of_zero(value: Decimal) -> Decimal:
    # "0e999999999" is within any bound on digits, and no database takes it as it is written
    return value if value else Decimal(0)


_NUMBER: Final = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")


def _read_number(value: object) -> object:
    """Refuse what Python alone reads as a number: ``1_000``, `` 7 ``, digits of other scripts."""
    # Infinity and NaN are told apart where a type allows none
    if isinstance(value, str) and not (_NUMBER.fullmatch(value) or value.isalpha()):
        raise PydanticCustomError("decimal_parsing", "is not a number")
    return value


Quantity = Annotated[
    Exact,
    Field(ge=0, max_digits=30, decimal_places=9, allow_inf_nan=False),
    BeforeValidator(_read_number),
    AfterValidator(_no_power_of_zero),
]


class UsageData(Wire):
    """What was used. ``application`` and ``key`` are ids; ``model`` is the catalog's name.

    ``upstream`` is who served the model, by its name in FAREBOX_UPSTREAMS or the seller's own word.
    Only the seller names it, and only the seller sees it.
    """

    application: Name
    model: Name
    key: Name | None = None
    upstream: Name | None = None
    quantities: dict[MeterName, Quantity] = Field(min_length=1, max_length=32)
    labels: dict[LabelName, LabelValue] = Field({}, max_length=32)
    counted: dict[MeterName, Quantity] | None = Field(
        None, description="The local tokenizer's count, kept beside what the provider reported"
    )


class UsageEvent(Wire):
    """A CloudEvent. Identity is (tenant, sender, source, id): it counts once, however often sent.

    The sender is of the credential: the seller's services and the customer never share an identity.
    ``farebox:`` sources are reserved. Extension attributes are taken and not kept, and
    ``data_base64`` may stand in for ``data``.
    """

    specversion: Literal["1.0"] = Field(
        "1.0", description="The version of CloudEvents, which is 1.0."
    )
    id: Name = Field(
        description="Your own id of the event, by which it counts once however often it is sent."
    )
    source: Name = Field(
        description="Which of your services it comes from; with `id` it is the event's identity."
    )
    type: Literal["ai.usage"] = Field(
        EVENT_TYPE, description="The kind of CloudEvent, which is `ai.usage`."
    )
    subject: Name | None = Field(
        None, description="Tenant id or slug; may be left out with a tenant's own credential"
    )
    time: Instant | None = Field(None, description="When it was used; the time of receipt if none")
    datacontenttype: Annotated[str, AfterValidator(json_kind)] | None = Field(
        None, description="A kind of JSON, if any"
    )
    data: UsageData = Field(description="What was used, by whom and of which model.")

    @model_validator(mode="before")
    @classmethod
    def _without_extensions(cls, document: Any) -> Any:
        if not isinstance(document, dict):
            return document
        return own_members(document, frozenset(cls.model_fields))


class RejectedEvent(Answer):
    """A member of a batch that was not taken, and why. ``index`` counts from 0."""

    index: int = Field(description="Its place in the batch, counted from 0.")
    id: str | None = Field(
        description="The event's id as it was sent; null if it has none that can be read."
    )
    field: str | None = Field(
        description="Which field can't be used, as a path; null if it is the whole event."
    )
    detail: str = Field(description="What is wrong with it, in a sentence.")


class IngestResult(Answer):
    """The verdict on a request: ``received = accepted + duplicates + rejected``.

    ``accepted`` are durably stored and will be counted; ``duplicates`` were already known and
    change nothing, and ``conflicts`` are those of them whose content is another than what was sent
    before: two events that share an id, it may be. ``rejected`` are listed in ``errors`` and were
    not stored.
    """

    received: int = Field(
        description="How many events the request had: accepted, duplicates and rejected."
    )
    accepted: int = Field(description="How many are durably stored, and will be counted.")
    duplicates: int = Field(description="How many were known already and change nothing.")
    conflicts: int = Field(
        0,
        description="How many of the duplicates say something else than what was sent before: "
        "two events may share an id.",
    )
    rejected: int = Field(description="How many were not taken.")
    errors: list[RejectedEvent] = Field([], description="Each event that was not taken, and why.")


class StoredEvent(Answer):
    """An event as it counts now: with its last correction, if it was corrected.

    A voided one counts for nothing, and shows what it had counted. ``upstream`` is null where none
    was recorded, and to everybody but the operator.
    """

    id: str
    sender: Sender
    source: str
    time: Instant
    received_at: Instant
    application: str
    model: str
    key: str | None
    upstream: str | None = None
    quantities: dict[str, Exact]
    labels: dict[str, str]
    counted: dict[str, Exact] | None
    voided: bool = False
    corrected_at: Instant | None = None


class EventFilter(TypedDict, total=False):
    """Which events to list; what is left out lets all through.

    ``start`` is inclusive and ``end`` exclusive, both by the time of use. Of several values of a
    field any may hold; of ``label``, the values by name, all must. Only the operator may ask for an
    ``upstream``.
    """

    start: datetime | None
    end: datetime | None
    sender: Sequence[Sender]
    source: Sequence[str]
    event_id: Sequence[str]
    application: Sequence[str]
    key: Sequence[str]
    model: Sequence[str]
    upstream: Sequence[str]
    meter: Sequence[str]
    label: Mapping[str, str]


class DeclaredLabel(Answer):
    """A label that usage is counted by. Usage from before ``created_at`` is not, until the
    operator runs ``farebox usage rebuild``.
    """

    label: str = Field(
        description="The label's name. Events can have others too, but usage is not summed by them."
    )
    created_at: Instant
