"""The audit page: filtered, page by page."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from backend_client.types.audit import AuditEntry
from backend_client.types.common import Page
from portal.features.audit.question import FIELDS, AuditQuestion, audit_filter
from portal.features.audit.rows import AuditRow, audit_rows
from portal.kit.form_problems import FormProblems, problems_by_field
from portal.kit.vars import computed
from portal.session.guard import Caller, signed_in
from portal.session.page import PageState
from portal.session.state import Session
from portal.shared.filters.question import address_query, question_of

_PAGE = 50
_NO_PROBLEMS = dict.fromkeys((*FIELDS, "form"), "")


class Audit(PageState, Session):
    """``everybody`` shows all tenants' entries and those of none, for the operator."""

    entries: list[AuditRow] = []
    question: AuditQuestion = AuditQuestion()
    everybody: bool = False
    problems: dict[str, str] = _NO_PROBLEMS
    cleared: int = 0
    number: int = 1
    older: bool = False
    _cursors: list[str | None] = [None]

    @computed
    def query(self) -> str:
        """What is shown, as the query of an address: the page's, and those of its downloads."""
        whose = {"everybody": "1"} if self.everybody else {}
        return urlencode(address_query(self.question) | whose)

    @computed
    def filtered(self) -> bool:
        """Whether the filters leave anything out."""
        return self.question.is_filtered

    @signed_in()
    async def load(self, caller: Caller) -> None:
        """Load what the address asks for."""
        query = self.router.url.query_parameters
        self.question = question_of(AuditQuestion, query)
        self.everybody = query.get("everybody", "") == "1" and caller.me.is_operator
        await self._first(caller)

    @signed_in()
    async def search(self, caller: Caller, form: dict[str, Any]) -> None:
        """Show what matches the filters."""
        self.question = question_of(AuditQuestion, form)
        await self._first(caller)

    @signed_in()
    async def clear(self, caller: Caller) -> None:
        """Show everything."""
        self.question, self.cleared = AuditQuestion(), self.cleared + 1
        await self._first(caller)

    @signed_in(operator=True)
    async def choose(self, caller: Caller, whose: str | list[str]) -> None:
        """Show the tenant's own entries, or everybody's."""
        self.everybody = whose == "everybody"
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

    async def _first(self, caller: Caller) -> None:
        self.problems, self.number, self._cursors = _NO_PROBLEMS, 1, [None]
        try:
            await self._read(caller)
        except FormProblems as problem:
            self.problems = {**_NO_PROBLEMS, **problems_by_field(problem, dict)}

    async def _read(self, caller: Caller) -> None:
        page = await self._page(caller, self._cursors[self.number - 1])
        self.entries = audit_rows(page.items, caller.me.tenant.time_zone)
        self.older = page.next_cursor is not None
        self._cursors = [*self._cursors[: self.number], page.next_cursor]
        self._ready()

    async def _page(self, caller: Caller, cursor: str | None) -> Page[AuditEntry]:
        audit = caller.client.audit
        wanted = audit_filter(self.question, caller.me.tenant.time_zone)
        if self.everybody:
            tenant = self.question.tenant or None
            return await audit.list_all(tenant=tenant, limit=_PAGE, cursor=cursor, **wanted).page()
        return await audit.list(limit=_PAGE, cursor=cursor, **wanted).page()
