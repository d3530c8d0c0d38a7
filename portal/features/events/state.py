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
from portal.features.events.choice import (
    SPANS,
    EventChoice,
    WrongChoice,
    event_filter,
    from_query,
    lets_through,
    to_query,
)
from portal.features.events.live import LiveEvents
from portal.features.events.rows import SHOWN, models_and_meters, newest
from portal.kit.choice import Choice
from portal.kit.color import Color
from portal.kit.facts import FactRow
from portal.kit.formatting import count
from portal.kit.vars import computed
from portal.session import polling
from portal.session.guard import Caller, signed_in
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
from portal.shared.names import names_of

ANY = "*"
"""What a list to choose from calls everything, since its entries can't be empty."""
LISTS = frozenset({"application", "key", "model", "meter"})
_OFFERED_FROM = timedelta(days=400)


class Events(PageState, Session):
    """A page of events. The first one follows what comes in unless it is paused."""

    span: str = "all"
    since: str = ""
    until: str = ""
    application: str = ANY
    key: str = ANY
    model: str = ANY
    meter: str = ANY
    source: str = ""
    event_id: str = ""
    label: str = ""
    wrong_field: str = ""
    wrong: str = ""
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
    _question: EventFilter = {}
    _names: dict[str, str] = {}

    @computed
    def filtered(self) -> bool:
        """Whether the filters may keep anything out."""
        return self._choice().filters

    @computed
    def query(self) -> str:
        """What the filters let through, as the query of an address."""
        return urlencode(to_query(self._choice()))

    @computed
    def csv(self) -> str:
        """Where the browser downloads what the filters let through."""
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
                self._choose(from_query(query))
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
    async def choose_span(self, caller: Caller, span: str) -> Any:
        """Choose how far back."""
        if span in SPANS:
            self.span = span
            self._to_first()
        return Events.look

    @signed_in()
    async def choose(self, caller: Caller, name: str, value: str) -> Any:
        """Choose from one of the lists."""
        if name in LISTS:
            setattr(self, name, value[:200])
            self._to_first()
        return Events.look

    @signed_in()
    async def search(self, caller: Caller, form: dict[str, Any]) -> Any:
        """Look for what was written in the fields."""
        for name in ("since", "until", "source", "event_id", "label"):
            setattr(self, name, str(form.get(name) or "").strip()[:200])
        self._to_first()
        return Events.look

    @signed_in()
    async def clear(self, caller: Caller) -> Any:
        """Let everything through again."""
        self._choose(EventChoice())
        self.cleared += 1
        self._to_first()
        return Events.look

    @signed_in()
    async def pause(self, caller: Caller, paused: bool) -> Any:
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
            moved, question = self._moved and not self._cursors, self._question
        if moved:
            # What came in has moved the first page on; its end is no longer where it was
            first = await caller.client.events.list(limit=SHOWN, **question).page()
            following = first.next_cursor
        async with self:
            if following is not None:
                self._cursors = [*self._cursors, following]
        await self._load(caller)

    @signed_in()
    async def show_newer(self, caller: Caller) -> Any:
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

    def _choice(self) -> EventChoice:
        return EventChoice(
            span=self.span,
            since=self.since if self.span == "between" else "",
            until=self.until if self.span == "between" else "",
            application="" if self.application == ANY else self.application,
            key="" if self.key == ANY else self.key,
            model="" if self.model == ANY else self.model,
            meter="" if self.meter == ANY else self.meter,
            source=self.source,
            event_id=self.event_id,
            label=self.label,
        )

    def _choose(self, choice: EventChoice) -> None:
        self.span, self.since, self.until = choice.span, choice.since, choice.until
        self.application, self.key = choice.application or ANY, choice.key or ANY
        self.model, self.meter = choice.model or ANY, choice.meter or ANY
        self.source, self.event_id, self.label = choice.source, choice.event_id, choice.label

    def _to_first(self) -> None:
        self._cursors = []
        self.waiting = 0
        self.wrong = self.wrong_field = ""

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
            choice, cursors = self._choice(), list(self._cursors)
        zone = caller.me.tenant.time_zone
        try:
            question = event_filter(choice, now=datetime.now(UTC), time_zone=zone)
        except WrongChoice as wrong:
            async with self:
                self.wrong_field, self.wrong = wrong.field, str(wrong)
                self._ready()
            return
        cursor = cursors[-1] if cursors else None
        page = await caller.client.events.list(limit=SHOWN, cursor=cursor, **question).page()
        async with self:
            if (choice, cursors) == (self._choice(), self._cursors):
                self._show(page, question, zone)
                self._ready()

    def _show(self, page: Page[StoredEvent], question: EventFilter, zone: str) -> None:
        self._shown, self._next, self._question = page.items, page.next_cursor, question
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
            if identity(event) not in shown and lets_through(self._question, event)
        }
        if not fresh or self.wrong:
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
