"""The events page: what was metered one by one, and what comes in while it is open."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from backend_client.types.common import Page
from backend_client.types.corrections import Correction
from backend_client.types.events import EventFilter, StoredEvent
from backend_client.types.usage import Granularity, UsageDimension
from portal import routes
from portal.features.events.live import LiveEvents
from portal.features.events.question import EventQuestion, event_filter, lets_through
from portal.features.events.rows import SHOWN, models_and_meters, newest
from portal.kit.choice import Choice
from portal.kit.color import Color
from portal.kit.facts import FactRow
from portal.kit.form_problems import FormProblems, text_of
from portal.kit.formatting import count
from portal.kit.vars import computed
from portal.session import polling
from portal.session.guard import Caller, NextEvents, signed_in
from portal.session.page import PageState
from portal.session.state import Session
from portal.shared.events.correction_rows import CorrectionRow, correction_row
from portal.shared.events.rows import (
    STATES,
    EventRow,
    QuantityRow,
    event_json,
    event_row,
    event_state,
    fact_rows,
    identity,
    quantity_rows,
)
from portal.shared.filters.question import ANY, SPANS, address_query, question_of
from portal.shared.names import names_of

LISTS = frozenset({"span", "application", "key", "model", "meter"})
WRITTEN = ("since", "until", "source", "event_id", "label")
_NO_PROBLEMS = dict.fromkeys(WRITTEN, "")
_OFFERED_FROM = timedelta(days=400)


class Events(PageState, Session):
    """A page of events. The first one follows what comes in unless it is paused."""

    question: EventQuestion = EventQuestion()
    problems: dict[str, str] = _NO_PROBLEMS
    cleared: int = 0

    applications: list[Choice] = []
    keys: list[Choice] = []
    models: list[Choice] = []
    meters: list[Choice] = []

    rows: list[EventRow] = []
    number: int = 1
    older: bool = False
    paused: bool = False
    waiting: int = 0

    opened: bool = False
    opened_id: str = ""
    opened_state: str = ""
    opened_color: Color = "gray"
    facts: list[FactRow] = []
    quantities: list[QuantityRow] = []
    counted_here: bool = False
    corrections: list[CorrectionRow] = []
    as_json: str = ""
    correct_at: str = ""

    _cursors: list[str] = []
    _next: str | None = None
    _moved: bool = False
    _shown: list[StoredEvent] = []
    _filter: EventFilter = {}
    _names: dict[str, str] = {}

    @computed
    def filtered(self) -> bool:
        """Whether the filters may keep anything out."""
        return self.question.is_filtered

    @computed
    def query(self) -> str:
        """What is filtered for, as the query of an address."""
        return urlencode(address_query(self.question))

    @computed
    def csv(self) -> str:
        """Where the browser downloads what matches the filters."""
        return "/downloads/events.csv?" + self.query

    @computed
    def status(self) -> str:
        """Whether the list follows what comes in; and what has come in if it does not."""
        new = f"{count(self.waiting)} new" if self.waiting else ""
        if self.number > 1:
            return f"Page {self.number}" + (f", {new}" if new else "")
        if self.paused:
            return f"Paused, {new}" if new else "Paused"
        return "Live"

    @signed_in(background=True, supersedes=True)
    async def watch(self, caller: Caller) -> Sequence[Any]:
        """Load the page, and follow what is metered until the browser leaves it."""
        async with self:
            if query := dict(self.router.url.query_parameters):
                self.question = question_of(EventQuestion, query, span=SPANS)
            self._to_first()
        async with LiveEvents(caller) as live:

            async def look() -> None:
                if not live.started:
                    live.start(await self._offer(caller))
                if live.has_gap:
                    # First, so that the list is there also where it can't be followed
                    await self._load(caller)
                    live.has_gap = False
                if new := live.take():
                    async with self:
                        self._arrive(new, caller.me.tenant.time_zone)

            return await self._follow(caller, look, polling.EVENTS)

    @signed_in(background=True)
    async def look(self, caller: Caller) -> None:
        """Load what has just been chosen."""
        await self._load(caller)

    @signed_in()
    async def choose(self, caller: Caller, name: str, value: str) -> NextEvents:
        """Choose from one of the lists."""
        if name in LISTS:
            chosen = {name: "" if value == ANY else value}
            self.question = question_of(
                EventQuestion, {**vars(self.question), **chosen}, span=SPANS
            )
            self._to_first()
        return Events.look

    @signed_in()
    async def search(self, caller: Caller, form: dict[str, Any]) -> NextEvents:
        """Look for what was written in the fields."""
        written = {name: text_of(form, name) for name in WRITTEN}
        self.question = question_of(EventQuestion, {**vars(self.question), **written}, span=SPANS)
        self._to_first()
        return Events.look

    @signed_in()
    async def clear(self, caller: Caller) -> NextEvents:
        """Let everything through again."""
        self.question, self.cleared = EventQuestion(), self.cleared + 1
        self._to_first()
        return Events.look

    @signed_in()
    async def pause(self, caller: Caller, paused: bool) -> NextEvents:
        """Stop following, or go on with what has come in since."""
        self.paused = paused
        if paused:
            return None
        self._to_first()
        return Events.look

    @signed_in(background=True)
    async def show_older(self, caller: Caller) -> None:
        """Show the page after this one."""
        async with self:
            following = self._next
            moved, wanted = self._moved and not self._cursors, self._filter
        if moved:
            # What came in has moved the first page on; its end is no longer where it was
            first = await caller.client.events.list(limit=SHOWN, **wanted).page()
            following = first.next_cursor
        async with self:
            if following is not None:
                self._cursors = [*self._cursors, following]
        await self._load(caller)

    @signed_in()
    async def show_newer(self, caller: Caller) -> NextEvents:
        """Show the page before this one."""
        self._cursors = self._cursors[:-1]
        if not self._cursors:
            self.waiting = 0
        return Events.look

    @signed_in()
    async def open_event(self, caller: Caller, sender: str, source: str, event_id: str) -> None:
        """Show all that is known of an event, and what corrections made of it."""
        wanted = (sender, source, event_id)
        event = next((event for event in self._shown if identity(event) == wanted), None)
        if event is None:
            return
        history = await caller.client.corrections.list(source=source, event_id=event_id).page()
        mine = [each for each in history.items if each.event.sender in (None, sender)]
        self._open(event, mine, caller)

    @signed_in()
    async def close_event(self, caller: Caller) -> None:
        """Go back to the list."""
        self.opened = False

    def _to_first(self) -> None:
        self._cursors = []
        self.waiting = 0
        self.problems = _NO_PROBLEMS

    async def _offer(self, caller: Caller) -> datetime | None:
        """Load what can be chosen from; return when the newest event was received."""
        report = await caller.client.usage.report(
            start=_midnight(datetime.now(UTC)) - _OFFERED_FROM,
            granularity=Granularity.TOTAL,
            group_by=[UsageDimension.MODEL],
        )
        names = await names_of(caller)
        async with self:
            self._names = names
            ids = [id_ for id_ in names if id_]
            self.applications = [Choice(id_, names[id_]) for id_ in ids if id_.startswith("app_")]
            self.keys = [Choice(id_, names[id_]) for id_ in ids if id_.startswith("key_")]
            self.models, self.meters = models_and_meters(report)
        return None if report is None else report.last_event_at

    async def _load(self, caller: Caller) -> None:
        """Load the page that is shown, by what is chosen."""
        async with self:
            question, cursors = self.question, list(self._cursors)
        zone = caller.me.tenant.time_zone
        try:
            wanted = event_filter(question, now=datetime.now(UTC), time_zone=zone)
        except FormProblems as problem:
            async with self:
                self.problems = {**_NO_PROBLEMS, **problem.by_field}
                self._ready()
            return
        cursor = cursors[-1] if cursors else None
        page = await caller.client.events.list(limit=SHOWN, cursor=cursor, **wanted).page()
        async with self:
            if (question, cursors) == (self.question, self._cursors):
                self._show(page, wanted, zone)
                self._ready()

    def _show(self, page: Page[StoredEvent], wanted: EventFilter, zone: str) -> None:
        self._shown, self._next, self._filter = page.items, page.next_cursor, wanted
        self._moved = False
        self.older = page.next_cursor is not None
        self.number = len(self._cursors) + 1
        self.rows = [event_row(event, self._names, zone) for event in page.items]

    def _arrive(self, new: Iterable[StoredEvent], zone: str) -> None:
        """Put what has come in where it belongs; or count it, where the list does not follow."""
        shown = {identity(event) for event in self._shown}
        fresh = {
            identity(event): event
            for event in new
            if identity(event) not in shown and lets_through(self._filter, event)
        }
        if not fresh or any(self.problems.values()):
            return
        if self._cursors or self.paused:
            self.waiting += len(fresh)
            return
        self._shown, cut = newest([*fresh.values(), *self._shown])
        self._moved = True
        self.older = self.older or cut
        self.rows = [
            event_row(event, self._names, zone, fresh=identity(event) in fresh)
            for event in self._shown
        ]

    def _open(self, event: StoredEvent, corrections: list[Correction], caller: Caller) -> None:
        zone = caller.me.tenant.time_zone
        self.opened, self.opened_id = True, event.id
        self.opened_state, self.opened_color = STATES[event_state(event)]
        self.facts = fact_rows(event, self._names, zone)
        self.quantities = quantity_rows(event)
        self.counted_here = event.counted is not None
        self.corrections = [correction_row(correction, zone) for correction in corrections]
        self.as_json = event_json(event)
        query = {"tenant": caller.me.tenant.id, "source": event.source, "id": event.id}
        self.correct_at = f"{routes.CORRECTIONS}?" + urlencode(query)


def _midnight(now: datetime) -> datetime:
    return now.replace(hour=0, minute=0, second=0, microsecond=0)
