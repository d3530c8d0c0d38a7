"""The list of customers: searched, page by page, and a new one."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from backend_client import ClientError
from portal.features.customers.forms import FIELDS, by_field, tenant_from
from portal.features.customers.rows import CustomerRow, customer_row
from portal.kit.choice import Choice
from portal.kit.form_problems import FormProblems, problems_by_field
from portal.kit.vars import computed
from portal.session.guard import Caller, NextEvents, signed_in
from portal.session.page import PageState
from portal.session.shown_once import ShownOnce
from portal.session.state import Session

PAGE = 25
_NO_PROBLEMS = dict.fromkeys(FIELDS, "")


class Customers(ShownOnce, PageState, Session):
    """Tenants, oldest first; ``search`` is what their name or slug has in it."""

    customers: list[CustomerRow] = []
    search: str = ""
    number: int = 1
    more: bool = False
    plans: list[Choice] = []
    opened: bool = False
    problems: dict[str, str] = _NO_PROBLEMS
    created_name: str = ""
    created_at: str = ""
    invited: str = ""
    _cursors: list[str] = []
    _next: str | None = None

    @computed
    def query(self) -> str:
        """The search, as the query of an address."""
        return urlencode({"search": self.search}) if self.search else ""

    def _fail(self, why: str) -> None:
        """Say why in the dialog while it is open, for it covers the page."""
        if self.opened:
            self.problems = {**_NO_PROBLEMS, "form": why}
        else:
            super()._fail(why)

    @signed_in(operator=True)
    async def arrive(self, caller: Caller) -> NextEvents:
        """Begin with the search that the address has, and without what was made before."""
        self.search = self.router.url.query_parameters.get("search", "")[:200]
        self._cursors, self.opened = [], False
        self._close()
        return Customers.load

    @signed_in(operator=True, background=True, supersedes=True)
    async def load(self, caller: Caller) -> None:
        """Load the page of the list."""
        async with self:
            search, cursors = self.search, list(self._cursors)
        listed = await caller.client.tenants.list(
            search=search or None, limit=PAGE, cursor=cursors[-1] if cursors else None
        ).page()
        plans = await caller.client.plans.list().all()
        async with self:
            if (search, cursors) != (self.search, self._cursors):
                return
            self.customers = [customer_row(tenant) for tenant in listed.items]
            self._next, self.more = listed.next_cursor, listed.next_cursor is not None
            self.number = len(cursors) + 1
            self.plans = [Choice(plan.definition.id, plan.definition.name) for plan in plans]
            self._ready()

    @signed_in(operator=True)
    async def find(self, caller: Caller, text: str) -> NextEvents:
        """Show the customers with a text in their name or slug."""
        self.search, self._cursors = text.strip()[:200], []
        return Customers.load

    @signed_in(operator=True)
    async def show_next(self, caller: Caller) -> NextEvents:
        """Show the customers after these."""
        if self._next is not None:
            self._cursors = [*self._cursors, self._next]
        return Customers.load

    @signed_in(operator=True)
    async def show_previous(self, caller: Caller) -> NextEvents:
        """Show the customers before these."""
        self._cursors = self._cursors[:-1]
        return Customers.load

    @signed_in(operator=True)
    async def open_form(self, caller: Caller) -> None:
        """Ask for a new customer."""
        self._close()
        self.opened = True

    @signed_in(operator=True)
    async def close_form(self, caller: Caller) -> None:
        """Close the dialog; closing it forgets the link."""
        self.opened = False
        self._close()

    @signed_in(operator=True)
    async def create(self, caller: Caller, form: dict[str, Any]) -> NextEvents:
        """Make the customer, and show the link of its owner's invitation, this once."""
        self.problems = _NO_PROBLEMS
        try:
            tenant = await caller.client.tenants.create(tenant_from(form))
        except (FormProblems, ClientError) as problem:
            self.problems = {**_NO_PROBLEMS, **problems_by_field(problem, by_field)}
            return None
        row = customer_row(tenant)
        self.created_name, self.created_at = row.name, row.address
        if tenant.invitation is not None:
            self.invited = tenant.invitation.email or ""
            self._show_once(self.invited, tenant.invitation.link)
        return Customers.load

    def _close(self) -> None:
        self.problems = _NO_PROBLEMS
        self.created_name = self.created_at = self.invited = ""
        self._forget_secret()
