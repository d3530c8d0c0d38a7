"""The operator's page on metering: what waits to be counted, and what could not be."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from backend_client import ClientError, InvalidInput
from backend_client.types.dead_letters import DeadLetter, DeadLetterReplay
from backend_client.types.pipeline import Pipeline
from portal.features.operations.forms import events_from
from portal.features.operations.rows import (
    LetterRow,
    Look,
    fill,
    letter_row,
    refusal,
    throughput,
    waiting_note,
)
from portal.features.operations.stream_rows import StreamRow, stream_rows
from portal.features.operations.worker_rows import WaitingRow, waiting_rows
from portal.kit.formatting import ago, count
from portal.session import polling
from portal.session.guard import Caller, NextEvents, signed_in
from portal.session.live import polled
from portal.session.page import PageState
from portal.session.state import Session

LOOKS = 6
"""Throughput is over so many looks: ten seconds."""


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
    waiting_longest: list[WaitingRow] = []
    streams: list[StreamRow] = []
    letters: list[LetterRow] = []
    opened: int = 0
    opened_reason: str = ""
    readable: bool = False
    text: str = ""
    form_problem: str = ""
    _looks: tuple[Look, ...] = ()
    _names: dict[str, str] = {}

    @signed_in(operator=True, background=True, supersedes=True)
    async def watch(self, caller: Caller) -> Sequence[Any]:
        """Load the page, and follow until the browser leaves it."""
        async with self:
            self._looks = ()

        async def look() -> None:
            ask = caller.client.pipeline.get
            pipeline = await polled(caller, "pipeline", ask, polling.OPERATIONS)
            letters = await caller.client.dead_letters.list().all() if pipeline.dead_letters else []
            names = await names_of(caller, pipeline, self._names)
            async with self:
                self._names = names
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
    async def close_letter(self, caller: Caller) -> None:
        """Put the open letter away; what was written in it is forgotten."""
        self._close()

    @signed_in(operator=True)
    async def replay(self, caller: Caller, form: dict[str, Any]) -> NextEvents:
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
    async def discard(self, caller: Caller) -> NextEvents:
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
        self.waiting_longest = waiting_rows(pipeline.oldest_by_tenant, self._names, now)
        self.streams = stream_rows(pipeline.streams)
        self.letters = [letter_row(letter, now) for letter in letters]


async def names_of(caller: Caller, pipeline: Pipeline, names: dict[str, str]) -> dict[str, str]:
    """The names of the tenants that wait longest; each is asked for once."""
    missing = {waiting.tenant_id for waiting in pipeline.oldest_by_tenant} - names.keys()
    asked: dict[str, str] = {}
    for tenant_id in sorted(missing):
        matches = await caller.client.tenants.list(search=tenant_id).all()
        asked |= {tenant.id: tenant.name for tenant in matches}
    return {**names, **asked}
