"""Which customer's clock the page is about, where it stands, and the wish to advance it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from backend_client import ClientError
from backend_client.types.accounts import Tenant
from backend_client.types.notifications import Notification
from backend_client.types.test_clocks import TestClock, TestClockAdvance
from portal import routes
from portal.features.clock.forms import FIELDS, by_field, target_from
from portal.features.clock.rows import (
    ClockView,
    HappenedRow,
    clock_view,
    happened_row,
    is_on_its_way,
)
from portal.kit.form_problems import FormProblems, problems_by_field
from portal.kit.vars import computed
from portal.session import polling
from portal.session.guard import Caller, NextEvents, signed_in
from portal.session.live import shared
from portal.session.page import LOADING, PageState
from portal.session.state import Session
from portal.shared.customer.state import Customer, customer_of

SHOWN = 20
_NO_PROBLEMS = dict.fromkeys(FIELDS, "")


class ClockPage(PageState, Session):
    """``happened`` is what came to pass last, the latest first."""

    customer: Customer = Customer()
    clock: ClockView = ClockView()
    happened: list[HappenedRow] = []
    opened: bool = False
    step: str = "month"
    problems: dict[str, str] = _NO_PROBLEMS
    _wanted: str = ""

    @computed
    def query(self) -> str:
        """The customer, as the query of an address."""
        return urlencode({"tenant": self.customer.slug}) if self.customer.slug else ""

    @computed
    def customer_page(self) -> str:
        """Where the customer's own page is."""
        return routes.customer(self.customer.slug)

    def _fail(self, why: str) -> None:
        """Say why in the dialog while it is open, for it covers the page."""
        if self.opened:
            self.problems = {**_NO_PROBLEMS, "form": why}
        else:
            super()._fail(why)

    @signed_in(operator=True)
    async def arrive(self, caller: Caller) -> NextEvents:
        """Begin with the customer that the address has."""
        self._wanted = self.router.url.query_parameters.get("tenant", "")[:200]
        if self._wanted not in {self.customer.slug, self.customer.id}:
            self.customer, self.clock, self.happened = Customer(), ClockView(), []
        self.phase, self.problem, self.opened = LOADING, "", False
        return ClockPage.watch

    @signed_in(operator=True, background=True, supersedes=True)
    async def watch(self, caller: Caller) -> Sequence[Any]:
        """Show the clock, and follow it until the browser leaves the page."""
        async with self:
            wanted = self._wanted or caller.me.tenant.slug

        fresh_seconds = 0.0

        async def ask() -> tuple[Tenant, TestClock, list[Notification]]:
            tenant = await caller.client.tenants.get(wanted)
            clock = await caller.client.tenants.test_clock(tenant.id)
            notices = await caller.client.notifications.list(tenant=tenant.id, limit=SHOWN).page()
            return tenant, clock, notices.items

        async def look() -> None:
            nonlocal fresh_seconds
            # First as it is now, for an act leads here; then as any operator's tab has asked
            tenant, clock, notices = await shared(
                caller, ("clock", wanted), ask, fresh_seconds=fresh_seconds, of_usage=False
            )
            fresh_seconds = polling.CLOCK / 2
            async with self:
                self.customer = customer_of(tenant)
                self.clock = clock_view(clock, tenant.time_zone)
                self.happened = [happened_row(notice, tenant.time_zone) for notice in notices]
                self._ready()

        return await self._follow(caller, look, polling.CLOCK)

    @signed_in(operator=True)
    async def open_form(self, caller: Caller) -> None:
        """Ask how far to go."""
        self.opened, self.problems = True, _NO_PROBLEMS

    @signed_in(operator=True)
    async def close_form(self, caller: Caller) -> None:
        """Leave the clock where it is."""
        self.opened, self.problems = False, _NO_PROBLEMS

    @signed_in(operator=True)
    async def choose_step(self, caller: Caller, step: str) -> None:
        """Choose how far to go."""
        self.step = step

    @signed_in(operator=True)
    async def advance(self, caller: Caller, form: dict[str, Any]) -> NextEvents:
        """Have the clock go on as far as the form says."""
        self.problems = _NO_PROBLEMS
        client = caller.client
        try:
            clock = await client.tenants.test_clock(self.customer.id)
            to = target_from({**form, "step": self.step}, clock.at, self.customer.time_zone)
            clock = await client.tenants.advance_test_clock(
                self.customer.id, TestClockAdvance(to=to)
            )
        except (FormProblems, ClientError) as problem:
            self.problems = {**_NO_PROBLEMS, **problems_by_field(problem, by_field)}
            return None
        self.opened = False
        self.clock = clock_view(clock, self.customer.time_zone)
        return ClockPage.watch if is_on_its_way(clock) else None
