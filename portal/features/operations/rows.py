"""The operations page in words: what waits, what failed, how fast it goes. Plain functions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from backend_client import InvalidInput
from backend_client.types.dead_letters import DeadLetter
from backend_client.types.pipeline import Pipeline
from portal.kit.formatting import ago, count, size

LATE_SECONDS = 60.0
"""What has waited so long is no longer on its way: no worker runs, or none keeps up."""


class Look(NamedTuple):
    """How many events had been counted, and met again, at a moment."""

    at: datetime
    counted: int
    duplicates: int


@dataclass(frozen=True)
class LetterRow:
    """A dead letter as the list shows it."""

    sequence: int
    reason: str
    events: str
    size: str
    age: str


def waiting_note(pipeline: Pipeline) -> tuple[str, bool]:
    """How long the oldest message has waited, in words; and whether that is too long."""
    if pipeline.oldest_waiting_at is None:
        return "Everything is counted", False
    seconds = (pipeline.as_of - pipeline.oldest_waiting_at).total_seconds()
    if seconds >= LATE_SECONDS:
        since = ago(pipeline.oldest_waiting_at, pipeline.as_of)
        return f"Oldest from {since}. Is a worker running?", True
    again = pipeline.redelivered_messages
    return (f"{count(again)} tried again" if again else "On their way"), False


def fill(pipeline: Pipeline) -> tuple[str, str]:
    """How full the stream is, and of what."""
    share = pipeline.waiting_bytes / pipeline.most_bytes if pipeline.most_bytes else 0.0
    used = f"{size(pipeline.waiting_bytes)} of {size(pipeline.most_bytes)}"
    return f"{share:.1%}" if share >= 0.001 or not share else "under 0.1%", used


def throughput(looks: Sequence[Look]) -> tuple[str, str]:
    """Events counted a second between the first look and the last, and what else is to say."""
    first, last = looks[0], looks[-1]
    seconds = (last.at - first.at).total_seconds()
    if seconds <= 0:
        return "–", f"{count(last.counted)} in all"
    rate = round((last.counted - first.counted) / seconds)
    again = last.duplicates - first.duplicates
    note = f"{count(last.counted)} in all"
    return count(rate), f"{note}, {count(again)} met again just now" if again else note


def letter_row(letter: DeadLetter, now: datetime) -> LetterRow:
    """A dead letter as the list shows it."""
    return LetterRow(
        sequence=letter.sequence,
        reason=letter.reason,
        events="unreadable" if letter.event_count is None else count(letter.event_count),
        size=size(letter.size_bytes),
        age=ago(letter.set_aside_at, now),
    )


def refusal(problem: InvalidInput) -> str:
    """What is wrong with which event, in a line each."""
    if not problem.errors:
        return str(problem)
    return "\n".join(f"{error.field}: {error.detail}" for error in problem.errors)
