"""Upstreams: listed as they fare, set, tested, disabled, enabled and retired."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from backend_client import PATIENT, ClientError
from backend_client.types.upstreams import Upstream
from portal.features.upstreams.forms import (
    NO_PROBLEMS,
    by_field,
    name_from_form,
    upstream_from_form,
)
from portal.features.upstreams.rows import (
    TestedKey,
    UpstreamDetails,
    UpstreamEdit,
    UpstreamRow,
    details_of,
    edit_of,
    key_outcomes,
    outcome_text,
    upstream_row,
)
from portal.kit.form_problems import FormProblems, problems_by_field
from portal.kit.vars import computed
from portal.session import polling
from portal.session.guard import Caller, NextEvents, signed_in
from portal.session.page import PageState
from portal.session.state import Session
from portal.shell.toasts import toast


class Upstreams(PageState, Session):
    """The list. ``opened`` names the upstream whose details are shown, in the address too.

    ``form`` is ``add``, ``edit`` or empty; ``edited`` what it starts with. ``testing`` while a test
    is under way, whose outcome is in ``tested``.
    """

    rows: list[UpstreamRow] = []
    with_retired: bool = False
    opened: str = ""
    details: UpstreamDetails = UpstreamDetails()
    form: str = ""
    edited: UpstreamEdit = UpstreamEdit()
    problems: dict[str, str] = NO_PROBLEMS
    testing: bool = False
    tested: str = ""
    test_failed: bool = False
    tested_keys: list[TestedKey] = []

    def _fail(self, why: str) -> None:
        """Say why in the form while it is open, for it covers the page."""
        self.testing = False
        if self.form:
            self.problems = {**NO_PROBLEMS, "form": why}
        else:
            super()._fail(why)

    @computed
    def query(self) -> str:
        """What is opened, as the query of an address."""
        shown = {"upstream": self.opened, "retired": "1" if self.with_retired else ""}
        return urlencode({name: value for name, value in shown.items() if value})

    @computed
    def shown(self) -> list[UpstreamRow]:
        """Those that may take calls, and the retired ones if these are shown."""
        return [row for row in self.rows if self.with_retired or not row.retired]

    @computed
    def retired_count(self) -> int:
        """How many are retired."""
        return sum(row.retired for row in self.rows)

    @computed
    def about(self) -> UpstreamRow:
        """The upstream whose details are shown; without a name if there is none."""
        return next((row for row in self.rows if row.name == self.opened), UpstreamRow())

    @signed_in(operator=True, background=True, supersedes=True)
    async def watch(self, caller: Caller) -> Sequence[Any]:
        """Load the page with what its address opens, and follow until the browser leaves it."""
        async with self:
            query = self.router.url.query_parameters
            self.with_retired = query.get("retired", "") == "1"
            self._close()
            self.opened = query.get("upstream", "")[:100]
        return await self._follow(caller, lambda: self._look(caller), polling.UPSTREAMS)

    @signed_in(operator=True, background=True)
    async def refresh(self, caller: Caller) -> None:
        """Load them once more: one of them has changed."""
        await self._look(caller)

    async def _look(self, caller: Caller) -> None:
        upstreams = await caller.client.upstreams.list().all()
        async with self:
            self._show(upstreams)

    def _show(self, upstreams: Sequence[Upstream]) -> None:
        now = datetime.now(UTC)
        rows = [upstream_row(upstream, now) for upstream in upstreams]
        details = [details_of(each, now) for each in upstreams if each.name == self.opened]
        # What has not changed is not sent
        if rows != self.rows:
            self.rows = rows
        if details and details[0] != self.details:
            self.details = details[0]
        self._ready()

    @signed_in(operator=True)
    async def show_retired(self, caller: Caller, shown: bool) -> None:
        """Show the retired ones too, or not."""
        self.with_retired = shown

    @signed_in(operator=True)
    async def open(self, caller: Caller, name: str) -> None:
        """Show all that is known of an upstream."""
        self._close()
        self.opened, self.details = name[:100], UpstreamDetails()
        self._show(await caller.client.upstreams.list().all())

    @signed_in(operator=True)
    async def close(self, caller: Caller) -> None:
        """Leave everything as it is."""
        self._close()

    @signed_in(operator=True)
    async def ask_add(self, caller: Caller) -> None:
        """Open the form that adds an upstream."""
        self._close()
        self.edited, self.form = UpstreamEdit(), "add"

    @signed_in(operator=True)
    async def ask_edit(self, caller: Caller, name: str) -> None:
        """Open the form that changes an upstream."""
        upstream = await caller.client.upstreams.get(name)
        self._close()
        self.edited, self.form = edit_of(upstream), "edit"

    @signed_in(operator=True)
    async def add(self, caller: Caller, form: dict[str, Any]) -> NextEvents:
        """Set an upstream of a new name."""

        async def act() -> str:
            name, wanted = name_from_form(form), upstream_from_form(form)
            if any(row.name == name for row in self.rows):
                raise FormProblems({"name": "There is one of this name already."})
            await caller.client.upstreams.put(name, wanted)
            return f"Added {name}: calls go to it within two seconds."

        return await self._act(act)

    @signed_in(operator=True)
    async def save(self, caller: Caller, form: dict[str, Any]) -> NextEvents:
        """Change the upstream that the form is about."""

        async def act() -> str:
            await caller.client.upstreams.put(self.edited.name, upstream_from_form(form))
            return f"Saved {self.edited.name}: it holds within two seconds."

        return await self._act(act)

    @signed_in(operator=True)
    async def disable(self, caller: Caller, name: str) -> NextEvents:
        """Send an upstream no more calls; who asks has read what is left unserved."""
        await caller.client.upstreams.disable(name, leave_unserved=True)
        return [Upstreams.refresh, toast(f"Disabled {name}.")]

    @signed_in(operator=True)
    async def enable(self, caller: Caller, name: str) -> NextEvents:
        """Send an upstream calls again."""
        await caller.client.upstreams.enable(name)
        return [Upstreams.refresh, toast(f"Enabled {name}.")]

    @signed_in(operator=True)
    async def retire(self, caller: Caller, name: str) -> NextEvents:
        """Send an upstream no calls ever again; who asks has read what is left unserved."""
        await caller.client.upstreams.retire(name, leave_unserved=True)
        self._close()
        return [Upstreams.refresh, toast(f"Retired {name}; its keys are destroyed.")]

    @signed_in(operator=True, background=True)
    async def test(self, caller: Caller, name: str) -> None:
        """Send an upstream a call of one word, and say how it went."""
        async with self:
            if self.testing:
                return
            self.testing, self.tested, self.tested_keys = True, "", []
        client = caller.client.with_profile(PATIENT)  # a model may have to be loaded first
        try:
            outcome = await client.upstreams.test(name)
            failed, text = not outcome.went_well, outcome_text(outcome)
            keys = key_outcomes(outcome)
        except ClientError as problem:
            keys = []
            failed, text = True, " ".join(problems_by_field(problem, by_field).values())
        async with self:
            self.testing = False
            if self.opened == name:
                self.tested, self.test_failed, self.tested_keys = text, failed, keys

    async def _act(self, act: Callable[[], Awaitable[str]]) -> NextEvents:
        """Do what the form asks for, or say in it why it was not done."""
        try:
            done = await act()
        except (FormProblems, ClientError) as problem:
            self.problems = {**NO_PROBLEMS, **problems_by_field(problem, by_field)}
            return None
        self._close()
        return [Upstreams.refresh, toast(done)]

    def _close(self) -> None:
        self.form, self.problems, self.opened = "", NO_PROBLEMS, ""
        self.tested, self.testing, self.tested_keys = "", False, []
