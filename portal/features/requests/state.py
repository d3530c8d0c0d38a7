"""The requests page: filtered, page by page, and one call opened."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from backend_client import NotFound
from portal.features.requests.question import ALLOWED, RequestQuestion, request_filter
from portal.features.requests.rows import RequestRow, fact_rows, request_row
from portal.kit.choice import Choice
from portal.kit.facts import FactRow
from portal.kit.form_problems import FormProblems, problems_by_field, text_of
from portal.kit.vars import computed
from portal.session.guard import Caller, signed_in
from portal.session.page import PageState
from portal.session.state import Session
from portal.shared.filters.question import ANY, address_query, question_of
from portal.shared.names import names_of

LISTS = frozenset({"span", "outcome", "application", "key"})
WRITTEN = ("since", "until", "model", "upstream", "code", "slower", "request", "label")
_PAGE = 50
_SHOWN = 8_000
"""Characters of a body: what a page holds is sent to the browser whole."""
_NO_PROBLEMS = dict.fromkeys((*WRITTEN, "form"), "")


class Requests(PageState, Session):
    """A page of calls. ``call`` is the id of the one that is opened, in the address too."""

    rows: list[RequestRow] = []
    question: RequestQuestion = RequestQuestion()
    applications: list[Choice] = []
    keys: list[Choice] = []
    problems: dict[str, str] = _NO_PROBLEMS
    cleared: int = 0
    number: int = 1
    older: bool = False

    call: str = ""
    missing: bool = False
    facts: list[FactRow] = []
    event_at: str = ""
    asked: str = ""
    answered: str = ""
    bodies_note: str = ""

    _cursors: list[str | None] = [None]
    _names: dict[str, str] = {}

    @computed
    def query(self) -> str:
        """What is shown, as the query of an address."""
        opened = {"call": self.call} if self.call else {}
        return urlencode(address_query(self.question) | opened)

    @computed
    def csv(self) -> str:
        """Where the browser downloads what matches the filters."""
        return "/downloads/requests.csv?" + urlencode(address_query(self.question))

    @computed
    def filtered(self) -> bool:
        """Whether the filters leave anything out."""
        return self.question.is_filtered

    @signed_in()
    async def load(self, caller: Caller) -> None:
        """Load what the address asks for."""
        query = dict(self.router.url.query_parameters)
        self._ask(query)
        self.call = ""
        self._names = await names_of(caller)
        ids = [id_ for id_ in self._names if id_]
        self.applications = [Choice(id_, self._names[id_]) for id_ in ids if id_.startswith("app_")]
        self.keys = [Choice(id_, self._names[id_]) for id_ in ids if id_.startswith("key_")]
        await self._first(caller)
        if wanted := str(query.get("call") or "")[:200]:
            await self._open(caller, wanted)

    @signed_in()
    async def choose(self, caller: Caller, name: str, value: str) -> None:
        """Choose from one of the lists."""
        if name in LISTS:
            chosen = {name: "" if value == ANY else value}
            self._ask({**vars(self.question), **chosen})
            await self._first(caller)

    @signed_in()
    async def search(self, caller: Caller, form: dict[str, Any]) -> None:
        """Look for what was written in the fields."""
        written = {name: text_of(form, name) for name in WRITTEN}
        self._ask({**vars(self.question), **written})
        await self._first(caller)

    @signed_in()
    async def clear(self, caller: Caller) -> None:
        """Let everything through again."""
        self.question, self.cleared = RequestQuestion(), self.cleared + 1
        await self._first(caller)

    @signed_in()
    async def refresh(self, caller: Caller) -> None:
        """Look what has come in."""
        await self._first(caller)

    @signed_in()
    async def show_older(self, caller: Caller) -> None:
        """Show the next page."""
        if self.older:
            self.number += 1
            await self._read(caller)

    @signed_in()
    async def show_newer(self, caller: Caller) -> None:
        """Show the page before."""
        if self.number > 1:
            self.number -= 1
            await self._read(caller)

    @signed_in()
    async def open_call(self, caller: Caller, call_id: str) -> None:
        """Show all that is known of a call."""
        await self._open(caller, call_id)

    @signed_in()
    async def close_call(self, caller: Caller) -> None:
        """Go back to the list."""
        self.call = self.asked = self.answered = ""

    def _ask(self, written: Mapping[str, object]) -> None:
        self.question = question_of(RequestQuestion, written, **ALLOWED)

    async def _open(self, caller: Caller, call_id: str) -> None:
        self.call, self.missing, self.facts = call_id, False, []
        self.event_at = self.asked = self.answered = self.bodies_note = ""
        try:
            call = await caller.client.requests.get(call_id)
        except NotFound:
            self.missing = True
            return
        zone = caller.me.tenant.time_zone
        self.facts = fact_rows(call, self._names, zone, operates=caller.me.is_operator)
        if call.event_id is not None:
            self.event_at = "/events?" + urlencode({"event_id": call.event_id})
        if call.bodies is not None:
            bodies = (call.bodies.request, call.bodies.answer)
            self.asked, self.answered = (body[:_SHOWN] for body in bodies)
            is_cut = call.bodies.shortened or max(map(len, bodies)) > _SHOWN
            notes = [
                "The end of what is long is left out." if is_cut else "",
                "E-mail addresses, card numbers and keys are left out."
                if call.bodies.redacted
                else "",
            ]
            self.bodies_note = " ".join(note for note in notes if note)

    async def _first(self, caller: Caller) -> None:
        self.problems, self.number, self._cursors = _NO_PROBLEMS, 1, [None]
        try:
            await self._read(caller)
        except FormProblems as problem:
            self.problems = {**_NO_PROBLEMS, **problems_by_field(problem, dict)}
            self._ready()

    async def _read(self, caller: Caller) -> None:
        zone = caller.me.tenant.time_zone
        wanted = request_filter(self.question, now=datetime.now(UTC), time_zone=zone)
        if not caller.me.is_operator:
            wanted.pop("upstream", None)
        cursor = self._cursors[self.number - 1]
        page = await caller.client.requests.list(limit=_PAGE, cursor=cursor, **wanted).page()
        self.rows = [request_row(call, self._names, zone) for call in page.items]
        self.older = page.next_cursor is not None
        self._cursors = [*self._cursors[: self.number], page.next_cursor]
        self._ready()
