"""The operator's page that puts events right: found, previewed, corrected, and on record."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from backend_client import ApiError, ClientError
from backend_client.types.corrections import CorrectionBatch, CorrectionCreate, CorrectionResult
from backend_client.types.events import StoredEvent
from portal.features.corrections.change_rows import ChangeRow, PeriodRow, change_rows, period_rows
from portal.features.corrections.form import (
    Pair,
    by_field,
    correction_from,
    data_text,
    label_pairs,
    quantity_pairs,
    with_another,
    with_problems,
)
from portal.kit.choice import Choice
from portal.kit.color import Color
from portal.kit.facts import FactRow
from portal.kit.form_problems import FormProblems, paths_of
from portal.kit.vars import computed
from portal.session.guard import Caller, NextEvents, signed_in
from portal.session.page import PageState
from portal.session.state import Session
from portal.shared.customer.state import CustomerState, customer_of
from portal.shared.events.correction_rows import CorrectionRow, correction_row
from portal.shared.events.rows import STATES, EventRow, event_row, event_state, fact_rows

MATCHES = 10
"""Events that one search shows; a sender, a source and an id name one alone."""
PAGE = 20
_NO_PROBLEMS = dict.fromkeys(
    (
        *("source", "application", "model", "key", "reason"),
        *("text", "quantities", "labels", "form", "confirm"),
    ),
    "",
)


class Corrections(CustomerState, PageState, Session):
    """A customer's events, one of them open to be corrected; and the corrections on record."""

    source: str = ""
    event_id: str = ""
    searched: int = 0
    matches: list[EventRow] = []
    no_matches: bool = False
    more_matches: bool = False
    problems: dict[str, str] = _NO_PROBLEMS

    opened: bool = False
    opened_id: str = ""
    opened_state: str = ""
    opened_color: Color = "gray"
    facts: list[FactRow] = []
    action: str = "void"
    as_text: bool = False
    applications: list[Choice] = []
    application: str = ""
    model: str = ""
    key: str = ""
    quantities: list[Pair] = []
    labels: list[Pair] = []
    text: str = ""
    form_version: int = 0

    previewing: bool = False
    changes: list[ChangeRow] = []
    more_changes: int = 0
    periods: list[PeriodRow] = []
    done: str = ""

    history: list[CorrectionRow] = []
    number: int = 1
    older: bool = False

    _event: StoredEvent | None = None
    _correction: CorrectionCreate | None = None
    _names: dict[str, str] = {}
    _cursors: list[str] = []
    _next: str | None = None

    @computed
    def query(self) -> str:
        """The customer, and what was looked for, as the query of an address."""
        shown = {"tenant": self.customer.slug, "source": self.source, "id": self.event_id}
        return urlencode({name: value for name, value in shown.items() if value})

    @signed_in(operator=True)
    async def load(self, caller: Caller) -> None:
        """Load the customer, and the event if the address names one."""
        query = self.router.url.query_parameters
        if id_or_slug := query.get("tenant", ""):
            matching = await caller.client.tenants.list(search=id_or_slug[:200], limit=20).page()
            for tenant in matching.items:
                if id_or_slug in (tenant.id, tenant.slug):
                    self.customer = customer_of(tenant)
        if not self.customer.id:  # none is named, or none is called so
            self.customer = customer_of(caller.me.tenant)
        await self._turn_to_customer(caller)
        if query.get("source") or query.get("id"):
            self.source = query.get("source", "")[:200]
            self.event_id = query.get("id", "")[:200]
            self.searched += 1
            await self._search(caller)
        self._ready()

    def _picked(self) -> NextEvents:
        return Corrections.turn

    @signed_in(operator=True)
    async def turn(self, caller: Caller) -> None:
        """Show the customer that was picked."""
        self.source = self.event_id = ""
        self.searched += 1
        await self._turn_to_customer(caller)

    @signed_in(operator=True)
    async def search(self, caller: Caller, form: dict[str, Any]) -> None:
        """Find the customer's events with a source, an id, or both."""
        self.source = str(form.get("source") or "").strip()[:200]
        self.event_id = str(form.get("event_id") or "").strip()[:200]
        self.done = ""
        await self._search(caller)

    @signed_in(operator=True)
    async def open_event(self, caller: Caller, sender: str, source: str, event_id: str) -> None:
        """Open an event to be corrected."""
        self.done = ""
        events = await self._events(caller, source, event_id)
        event = next((event for event in events if event.sender == sender), None)
        if event is not None:
            self._open(event)

    @signed_in(operator=True)
    async def close_event(self, caller: Caller) -> None:
        """Go back to what was found."""
        self.opened = False

    @signed_in(operator=True)
    async def choose_action(self, caller: Caller, action: str | list[str]) -> None:
        """Choose between voiding and amending."""
        if action in ("void", "amend"):
            self.action, self.problems = str(action), _NO_PROBLEMS

    @signed_in(operator=True)
    async def choose_text(self, caller: Caller, as_text: bool) -> None:
        """Choose between fields and JSON; each begins with what the event says now."""
        self.as_text, self.problems = as_text, _NO_PROBLEMS

    @signed_in(operator=True)
    async def add_line(self, caller: Caller, kind: str) -> None:
        """Add an empty line for a quantity or a label."""
        if kind == "meter":
            self.quantities = with_another(self.quantities)
        else:
            self.labels = with_another(self.labels)

    @signed_in(operator=True)
    async def remove_line(self, caller: Caller, kind: str, line: int) -> None:
        """Take a line away."""
        if kind == "meter":
            self.quantities = [pair for pair in self.quantities if pair.id != line]
        else:
            self.labels = [pair for pair in self.labels if pair.id != line]

    @signed_in(operator=True)
    async def preview(self, caller: Caller, form: dict[str, Any]) -> None:
        """Show what the correction would change; nothing is done."""
        if self._event is None:
            return
        self._show_problems({})
        try:
            correction = correction_from(
                form,
                self._event,
                action="amend" if self.action == "amend" else "void",
                as_text=self.as_text,
                correction_id=f"portal-{uuid.uuid4().hex}",
            )
            result = await caller.client.corrections.preview(self._batch(correction))
        except FormProblems as problem:
            self._show_problems(problem.by_field)
        except ApiError as problem:
            self._show_problems(by_field(paths_of(problem), form, as_text=self.as_text))
        except ClientError as problem:
            self._show_problems({"form": str(problem)})
        else:
            self._correction = correction
            self._show_preview(result)

    @signed_in(operator=True)
    async def close_preview(self, caller: Caller) -> None:
        """Go back to the form; nothing is done."""
        self.previewing = False
        self.problems = _NO_PROBLEMS

    @signed_in(operator=True)
    async def confirm(self, caller: Caller) -> None:
        """Make the correction that was previewed. A second time does nothing: it has an id."""
        correction, event = self._correction, self._event
        if correction is None or event is None:
            return
        try:
            await caller.client.corrections.create(self._batch(correction))
        except ClientError as problem:
            self.problems = {**_NO_PROBLEMS, "confirm": str(problem)}
            return
        self._correction, self.previewing, self.opened = None, False, False
        past = "voided" if correction.action == "void" else "amended"
        self.done = f"{event.id} was {past}. It is listed in the history below."
        if self.source or self.event_id:
            await self._list(caller)
        await self._load_history(caller, [])

    @signed_in(operator=True)
    async def show_older(self, caller: Caller) -> None:
        """Show the corrections before these."""
        if self._next is not None:
            await self._load_history(caller, [*self._cursors, self._next])

    @signed_in(operator=True)
    async def show_newer(self, caller: Caller) -> None:
        """Show the corrections after these."""
        await self._load_history(caller, self._cursors[:-1])

    async def _turn_to_customer(self, caller: Caller) -> None:
        self.matches, self.no_matches, self.more_matches = [], False, False
        self.opened = self.previewing = False
        self.done, self.problems = "", _NO_PROBLEMS
        applications = await caller.client.applications.list(tenant=self.customer.id).all()
        self.applications = [
            Choice(application.id, application.name) for application in applications
        ]
        self._names = {application.id: application.name for application in applications}
        await self._load_history(caller, [])

    async def _search(self, caller: Caller) -> None:
        self.opened = False
        if not self.source and not self.event_id:
            self.matches, self.no_matches, self.more_matches = [], False, False
            self.problems = {**_NO_PROBLEMS, "source": "Give a source, an id, or both."}
            return
        self.problems = _NO_PROBLEMS
        events = await self._list(caller)
        if len(events) == 1:
            self._open(events[0])

    async def _list(self, caller: Caller) -> list[StoredEvent]:
        events = await self._events(caller, self.source, self.event_id)
        zone = self.customer.time_zone
        self.no_matches, self.more_matches = not events, len(events) > MATCHES
        self.matches = [event_row(event, self._names, zone) for event in events[:MATCHES]]
        return events

    async def _events(self, caller: Caller, source: str, event_id: str) -> list[StoredEvent]:
        page = await caller.client.events.list(
            tenant=self.customer.id,
            limit=MATCHES + 1,
            source=[source] if source else [],
            event_id=[event_id] if event_id else [],
        ).page()
        return page.items

    def _open(self, event: StoredEvent) -> None:
        self._event, self._correction = event, None
        self.opened, self.opened_id, self.form_version = True, event.id, self.form_version + 1
        self.opened_state, self.opened_color = STATES[event_state(event)]
        self.facts = fact_rows(event, self._names, self.customer.time_zone)
        self.action = "amend" if event.voided else "void"
        self.as_text, self.problems = False, _NO_PROBLEMS
        self.application, self.model, self.key = event.application, event.model, event.key or ""
        self.quantities, self.labels = quantity_pairs(event), label_pairs(event)
        self.text = data_text(event)

    def _batch(self, correction: CorrectionCreate) -> CorrectionBatch:
        return CorrectionBatch(tenant=self.customer.id, corrections=[correction])

    def _show_problems(self, problems: Mapping[str, str]) -> None:
        self.problems = {**_NO_PROBLEMS, **problems}
        self.quantities = with_problems(self.quantities, "meter", problems)
        self.labels = with_problems(self.labels, "label", problems)

    def _show_preview(self, result: CorrectionResult) -> None:
        zone = self.customer.time_zone
        self.previewing = True
        self.changes, self.more_changes = change_rows(result.changes, self._names, zone)
        self.periods = period_rows(result.spend, zone)

    async def _load_history(self, caller: Caller, cursors: list[str]) -> None:
        page = await caller.client.corrections.list(
            tenant=self.customer.id, limit=PAGE, cursor=cursors[-1] if cursors else None
        ).page()
        self._cursors, self._next = cursors, page.next_cursor
        self.number, self.older = len(cursors) + 1, page.next_cursor is not None
        zone = self.customer.time_zone
        self.history = [correction_row(correction, zone) for correction in page.items]
