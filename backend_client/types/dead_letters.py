"""Dead letters: messages of the usage stream that could not be counted."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from backend_client.types.common import Answer, Instant, Wire


class DeadLetter(Answer):
    """A message that was set aside, and why. ``event_count`` is null where it can't be read."""

    sequence: int = Field(
        description="Its place in the stream of dead letters, by which it is replayed or discarded."
    )
    reason: str = Field(description="Why it could not be counted.")
    set_aside_at: Instant = Field(description="When it was set aside.")
    size_bytes: int = Field(description="How long the message is, in bytes.")
    event_count: int | None


class DeadLetterContent(DeadLetter):
    """A dead letter with what is in it: ``events`` where they can be read, else its ``text``.

    ``events`` are CloudEvents, to be put right and sent back. ``text`` is cut at 64 KiB.
    """

    events: list[dict[str, Any]] | None = Field(
        description="The events in it, as CloudEvents, to be put right and sent back; null if "
        "they can't be read."
    )
    text: str | None = Field(
        description="What is in it if no events can be read, to 64 KiB; else null."
    )


class DeadLetterReplay(Wire):
    """How to count a dead letter after all: as it is (null), or these events in its place."""

    events: list[Any] | None = Field(
        None,
        min_length=1,
        max_length=10_000,
        description="The events to count in its place; null counts it as it is.",
    )
