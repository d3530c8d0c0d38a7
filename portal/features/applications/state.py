"""Applications: listed with their usage, made, renamed, archived."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from backend_client import ClientError
from backend_client.types.accounts import ApplicationChange
from portal.features.applications.rows import (
    FIELDS,
    ApplicationRow,
    application_from_form,
    application_rows,
    by_field,
    name_from_form,
    usage_query,
)
from portal.kit.form_problems import FormProblems, problems_by_field
from portal.kit.vars import computed
from portal.session.guard import DEVELOPERS, Caller, signed_in
from portal.session.page import PageState
from portal.session.state import Session
from portal.shell.toasts import toast

_NO_PROBLEMS = dict.fromkeys(FIELDS, "")


class Applications(PageState, Session):
    """The applications page. ``dialog`` is ``create``, ``rename`` or empty; ``renamed`` whose name
    it changes. ``with_archived`` shows those in the archive too."""

    applications: list[ApplicationRow] = []
    with_archived: bool = False
    dialog: str = ""
    renamed: ApplicationRow = ApplicationRow()
    problems: dict[str, str] = _NO_PROBLEMS

    def _fail(self, why: str) -> None:
        """Say why in the dialog while it is open, for it covers the page."""
        if self.dialog:
            self.problems = {**_NO_PROBLEMS, "form": why}
        else:
            super()._fail(why)

    @computed
    def query(self) -> str:
        """Whether the archive is shown, as the query of an address."""
        return "archived=1" if self.with_archived else ""

    @computed
    def shown(self) -> list[ApplicationRow]:
        """The applications in use, and those in the archive if these are shown."""
        return [row for row in self.applications if self.with_archived or not row.archived]

    @computed
    def archived_count(self) -> int:
        """How many are in the archive."""
        return sum(row.archived != "" for row in self.applications)

    @signed_in(background=True)
    async def load(self, caller: Caller) -> None:
        """Load the applications, with the keys and the usage of each."""
        async with self:
            archived = self.router.url.query_parameters.get("archived", "") == "1"
        rows = await self._rows(caller)
        async with self:
            self.with_archived = archived
            self._close()
            self.applications = rows
            self._ready()

    @signed_in(background=True, supersedes=True)
    async def refresh(self, caller: Caller) -> None:
        """Load them once more: one of them has changed."""
        rows = await self._rows(caller)
        async with self:
            self.applications = rows
            self._ready()

    async def _rows(self, caller: Caller) -> list[ApplicationRow]:
        now = datetime.now(UTC)
        applications = await caller.client.applications.list().all()
        keys = await caller.client.keys.list().all()
        usage = await caller.client.usage.report(**usage_query(now))
        return application_rows(applications, keys, usage, now, caller.me.tenant.time_zone)

    @signed_in()
    async def show_archived(self, caller: Caller, shown: bool) -> None:
        """Show those in the archive too, or not."""
        self.with_archived = shown

    @signed_in(roles=DEVELOPERS)
    async def ask_create(self, caller: Caller) -> None:
        """Open the dialog that makes an application."""
        self._close()
        self.dialog = "create"

    @signed_in(roles=DEVELOPERS)
    async def ask_rename(self, caller: Caller, application_id: str) -> None:
        """Open the dialog that renames an application."""
        self._close()
        row = next((row for row in self.applications if row.id == application_id), None)
        if row is not None:
            self.renamed, self.dialog = row, "rename"

    @signed_in(roles=DEVELOPERS)
    async def close(self, caller: Caller) -> None:
        """Leave everything as it is."""
        self._close()

    @signed_in(roles=DEVELOPERS)
    async def create(self, caller: Caller, form: dict[str, Any]) -> Any:
        """Make an application."""
        try:
            created = await caller.client.applications.create(application_from_form(form))
        except (FormProblems, ClientError) as problem:
            self.problems = {**_NO_PROBLEMS, **problems_by_field(problem, by_field)}
            return None
        self._close()
        return [Applications.refresh, toast(f"Created {created.name}.")]

    @signed_in(roles=DEVELOPERS)
    async def rename(self, caller: Caller, form: dict[str, Any]) -> Any:
        """Give the application that the dialog is about another name."""
        try:
            change = name_from_form(form)
            renamed = await caller.client.applications.update(self.renamed.id, change)
        except (FormProblems, ClientError) as problem:
            self.problems = {**_NO_PROBLEMS, **problems_by_field(problem, by_field)}
            return None
        self._close()
        return [Applications.refresh, toast(f"It is called {renamed.name} now.")]

    @signed_in(roles=DEVELOPERS)
    async def archive(self, caller: Caller, application_id: str, archived: bool) -> Any:
        """Archive an application, or take it back; why it can't be is said above the list."""
        change = ApplicationChange(archived=archived)
        changed = await caller.client.applications.update(application_id, change)
        self.problem = ""
        done = "is archived" if archived else "is in use again"
        return [Applications.refresh, toast(f"{changed.name} {done}.")]

    def _close(self) -> None:
        self.dialog, self.problems = "", _NO_PROBLEMS
