"""Dead letters: messages of the usage stream that could not be counted."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from backend_client.types.common import Answer, Instant, Wire


class DeadLetter(Answer):
    """A message that was set aside, and why. ``event_count`` is null where it can't be read."""

    sequence: int
    reason: str
    set_aside_at: Instant
    size_bytes: int
    event_count: int | None


class DeadLetterContent(DeadLetter):
    """A dead letter with what is in it: ``events`` where they can be read, else its ``text``.

    ``events`` are CloudEvents, to be put right and sent back. ``text`` is cut at 64 KiB.
    """

    events: list[dict[str, Any]] | None
    text: str | None


class DeadLetterReplay(Wire):
    """How to count a dead letter after all: as it is (null), or these events in its place."""

    events: list[Any] | None = Field(None, min_length=1, max_length=10_000)
