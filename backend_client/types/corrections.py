"""Corrections of usage events: what to change, and what it does to usage and spend."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from backend_client.types.common import Answer, Exact, Instant, Money, Wire
from backend_client.types.events import IngestResult, Name, Sender, UsageData
from backend_client.types.texts import Prose


class EventReference(Wire):
    """Which event of the tenant: by its source and its id.

    ``sender`` is needed only where several senders have such an event.
    """

    sender: Sender | None = None
    source: Name
    id: Name


class CorrectionCreate(Wire):
    """Void an event, or amend it by stating all of its data anew. Its time and identity stay.

    ``id`` is the sender's own: the same correction sent again changes nothing again. An amendment
    without ``upstream`` keeps the event's.
    """

    id: Name
    event: EventReference
    action: Literal["void", "amend"]
    data: UsageData | None = Field(None, description="With amend: what the event should have said")
    reason: Annotated[Prose, StringConstraints(min_length=1, max_length=500, strip_whitespace=True)]

    @model_validator(mode="after")
    def _data_with_amend_alone(self) -> Self:
        if (self.action == "amend") != (self.data is not None):
            raise ValueError("an amendment needs data, and a voiding has none")
        return self


class CorrectionBatch(Wire):
    """Corrections of one tenant's events; all of them are applied, or none."""

    tenant: Name | None = Field(
        None, description="Id or slug; may be left out by who is signed in to it"
    )
    corrections: list[CorrectionCreate] = Field(min_length=1, max_length=1000)


class CorrectionOutcome(Answer):
    """``pending`` ones wait for their event, which may still be in the queue."""

    id: str
    state: Literal["applied", "pending", "repeated"]


class UsageChange(Answer):
    """What is added to the usage in a quarter hour, or taken away where it is negative."""

    start: Instant
    application: str
    key: str | None
    model: str
    upstream: str | None = None
    meter: str
    labels: dict[str, str]
    quantity: Exact
    event_count: int


class SpendChange(Answer):
    """What a billing period costs without and with the change, as far as it is metered.

    ``invoices`` are the numbers of those that were issued for it and stand. They stay as they are:
    the next invoice bills the difference.
    """

    start: Instant
    end: Instant
    before: Money
    after: Money
    invoices: list[str] = []


class CorrectionResult(Answer):
    """What was done, or would be if ``preview``."""

    preview: bool
    corrections: list[CorrectionOutcome]
    changes: list[UsageChange]
    spend: list[SpendChange]


class EventsPreview(Answer):
    """What events would change if they were sent now. Nothing was stored."""

    verdict: IngestResult
    changes: list[UsageChange]
    spend: list[SpendChange]


class Correction(Answer):
    """A correction on record. ``before`` is None where the event was void already.

    ``actor`` is a person's or a key's id; ``actor_name`` a person's name.
    """

    id: str
    event: EventReference
    action: Literal["void", "amend"]
    reason: str
    actor: str
    actor_name: str | None = None
    received_at: Instant
    applied_at: Instant | None
    before: UsageData | None
    after: UsageData | None
