"""The operator's page on metering: what waits to be counted, and what could not be."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

from backend_client import ClientError, InvalidInput
from backend_client.types.dead_letters import DeadLetter, DeadLetterReplay
from backend_client.types.pipeline import Pipeline
from portal.kit.formatting import ago, count, size
from portal.session import polling
from portal.session.guard import Caller, signed_in
from portal.session.page import PageState
from portal.session.state import Session

LATE_SECONDS = 60.0
"""What has waited so long is no longer on its way: no worker runs, or none keeps up."""


LOOKS = 6
"""Throughput is over so many looks: ten seconds."""


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


class Operations(PageState, Session):
    """What waits and what was set aside; one letter at a time is open to be put right."""

    waiting: str = ""
    waiting_note: str = ""
    late: bool = False
    fill: str = ""
    fill_note: str = ""
    counted: str = ""
    throughput: str = ""
    throughput_note: str = ""
    letters: list[LetterRow] = []
    opened: int = 0
    opened_reason: str = ""
    readable: bool = False
    text: str = ""
    form_problem: str = ""
    _looks: tuple[Look, ...] = ()

    @signed_in(operator=True, background=True, supersedes=True)
    async def watch(self, caller: Caller) -> Sequence[Any]:
        """Load the page, and follow until the browser leaves it."""
        async with self:
            self._looks = ()

        async def look() -> None:
            pipeline = await caller.client.pipeline.get()
            letters = await caller.client.dead_letters.list().all() if pipeline.dead_letters else []
            async with self:
                self._show(pipeline, letters)
                self._ready()

        return await self._follow(caller, look, polling.OPERATIONS)

    @signed_in(operator=True)
    async def open_letter(self, caller: Caller, sequence: int) -> None:
        """Show a letter with what is in it."""
        letter = await caller.client.dead_letters.get(sequence)
        self.opened, self.opened_reason = sequence, letter.reason
        self.readable = letter.events is not None
        self.form_problem = ""
        self.text = (
            letter.text or ""
            if letter.events is None
            else json.dumps(letter.events, indent=2, ensure_ascii=False)
        )

    @signed_in(operator=True)
    async def close_letter(self, caller: Caller, shown: bool) -> None:
        """Put the open letter away; what was written in it is forgotten."""
        if not shown:
            self._close()

    @signed_in(operator=True)
    async def replay(self, caller: Caller, form: dict[str, Any]) -> Any:
        """Send the letter's events as they are written in its form."""
        try:
            events = events_from(str(form.get("events", "")))
            await caller.client.dead_letters.replay(self.opened, DeadLetterReplay(events=events))
        except InvalidInput as problem:
            self.form_problem = refusal(problem)
            return None
        except (ValueError, ClientError) as problem:
            self.form_problem = str(problem)
            return None
        self._close()
        return Operations.watch

    @signed_in(operator=True)
    async def discard(self, caller: Caller) -> Any:
        """Remove the open letter for good."""
        await caller.client.dead_letters.discard(self.opened)
        self._close()
        return Operations.watch

    def _close(self) -> None:
        self.opened = 0
        self.text = self.form_problem = self.opened_reason = ""

    def _show(self, pipeline: Pipeline, letters: list[DeadLetter]) -> None:
        now = datetime.now(UTC)
        self.waiting = count(pipeline.waiting_messages)
        self.waiting_note, self.late = waiting_note(pipeline)
        self.fill, self.fill_note = fill(pipeline)
        self.counted = ago(pipeline.counted_at, now) if pipeline.counted_at else "Never"
        look = Look(pipeline.as_of, pipeline.events_counted, pipeline.duplicates_counted)
        self._looks = (*self._looks, look)[-LOOKS:]
        self.throughput, self.throughput_note = throughput(self._looks)
        self.letters = [letter_row(letter, now) for letter in letters]


def waiting_note(pipeline: Pipeline) -> tuple[str, bool]:
    """How long the oldest message has waited, in words; and whether that is too long."""
    if pipeline.oldest_waiting_at is None:
        return "Everything is counted", False
    seconds = (pipeline.as_of - pipeline.oldest_waiting_at).total_seconds()
    if seconds >= LATE_SECONDS:
        since = ago(pipeline.oldest_waiting_at, pipeline.as_of)
        return f"Oldest from {since}. Is a worker running?", True
    return "On their way", False


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


def events_from(text: str) -> list[Any]:
    """Read what was written in the form.

    Raises:
        ValueError: it is not a JSON array; says where it stops being one.
    """
    try:
        # Numbers stay as they were written: a float would lose digits
        events = json.loads(text, parse_float=str)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise ValueError(f"Not JSON: {place}: {error.msg}.") from None
    if not isinstance(events, list) or not events:
        raise ValueError("An array of events is needed.")
    return events


def refusal(problem: InvalidInput) -> str:
    """What is wrong with which event, in a line each."""
    if not problem.errors:
        return str(problem)
    return "\n".join(f"{error.field}: {error.detail}" for error in problem.errors)
