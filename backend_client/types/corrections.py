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

    sender: Sender | None = Field(
        None, description="Who sent the event; null if only one sender has such an event."
    )
    source: Name = Field(description="The event's `source`.")
    id: Name = Field(description="The event's `id`.")


class CorrectionCreate(Wire):
    """Void an event, or amend it by stating all of its data anew. Its time and identity stay.

    ``id`` is the sender's own: the same correction sent again changes nothing again. An amendment
    without ``upstream`` keeps the event's.
    """

    id: Name = Field(
        description="Your own id of the correction, by which it counts once however often it "
        "is sent."
    )
    event: EventReference = Field(description="The event to correct.")
    action: Literal["void", "amend"] = Field(
        description="`void` takes the event back; `amend` states its data anew."
    )
    data: UsageData | None = Field(None, description="With amend: what the event should have said")
    reason: Annotated[
        Prose, StringConstraints(min_length=1, max_length=500, strip_whitespace=True)
    ] = Field(description="Why, for the record; up to 500 characters.")

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
    corrections: list[CorrectionCreate] = Field(
        min_length=1,
        max_length=1000,
        description="The corrections; all of them are applied, or none.",
    )


class CorrectionOutcome(Answer):
    """``pending`` ones wait for their event, which may still be in the queue."""

    id: str = Field(description="The correction, by the id that it was sent with.")
    state: Literal["applied", "pending", "repeated"] = Field(
        description="`applied`; `pending` until its event, which may still be in the queue, "
        "is counted; or `repeated` if it was sent before."
    )


class UsageChange(Answer):
    """What is added to the usage in a quarter hour, or taken away where it is negative."""

    start: Instant
    application: str
    key: str | None
    model: str
    upstream: str | None = Field(
        None,
        description="The model provider; null where none was recorded, and to everybody but "
        "the operator.",
    )
    meter: str
    labels: dict[str, str] = Field(description="The declared labels of the usage, by name.")
    quantity: Exact = Field(
        description="How many units are added, or taken away where it is below zero."
    )
    event_count: int


class SpendChange(Answer):
    """What a billing period costs without and with the change, as far as it is metered.

    ``invoices`` are the numbers of those that were issued for it and stand. They stay as they are:
    the next invoice bills the difference.
    """

    start: Instant
    end: Instant
    before: Money = Field(description="What the period costs without the change.")
    after: Money = Field(description="What the period costs with it.")
    invoices: list[str] = Field(
        [],
        description="The numbers of the invoices that were issued for the period and stand; "
        "the next invoice bills the difference.",
    )


class CorrectionResult(Answer):
    """What was done, or would be if ``preview``."""

    preview: bool = Field(description="Whether it only says what would be done.")
    corrections: list[CorrectionOutcome] = Field(
        description="What became of each correction, in the order in which they were sent."
    )
    changes: list[UsageChange] = Field(
        description="What is added to usage or taken away, by quarter hour and what usage is "
        "counted by."
    )
    spend: list[SpendChange] = Field(
        description="What the change does to each billing period's cost."
    )


class EventsPreview(Answer):
    """What events would change if they were sent now. Nothing was stored."""

    verdict: IngestResult = Field(description="What the answer to sending them would be.")
    changes: list[UsageChange] = Field(
        description="What would be added to usage, by quarter hour and what usage is counted by."
    )
    spend: list[SpendChange] = Field(
        description="What the events would do to each billing period's cost."
    )


class Correction(Answer):
    """A correction on record. ``before`` is None where the event was void already.

    ``actor`` is a person's or a key's id; ``actor_name`` a person's name.
    """

    id: str = Field(description="The sender's own id of it, by which it counts once.")
    event: EventReference = Field(description="The event that it corrects.")
    action: Literal["void", "amend"] = Field(
        description="`void` took the event back; `amend` stated its data anew."
    )
    reason: str = Field(description="Why, in the words of who sent it.")
    actor: str = Field(description="Who sent it, by id: a person or a key.")
    actor_name: str | None = Field(None, description="The person's name; null for a key.")
    received_at: Instant = Field(description="When it was received.")
    applied_at: Instant | None = Field(
        description="When the event was changed by it; null while it waits for its event."
    )
    before: UsageData | None = Field(
        description="What the event had said; null where it was void, or while the correction "
        "waits."
    )
    after: UsageData | None = Field(
        description="What the event says since; null where it is void, or while the "
        "correction waits."
    )
