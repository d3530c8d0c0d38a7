"""Applications: listed with their usage, made, renamed, archived."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

from backend_client import ClientError, Forbidden
from backend_client.types.accounts import Application, ApplicationChange
from backend_client.types.limits import KeyBudgetUse, LabelBudgetChange, RateLimits
from portal.features.applications.rows import (
    FIELDS,
    ApplicationRow,
    LabelBudgetRow,
    UseRow,
    application_from_form,
    application_rows,
    by_field,
    change_of_bounds,
    label_budget_from_form,
    label_budget_row,
    name_from_form,
    usage_query,
    use_rows,
)
from portal.kit.form_problems import FormProblems, problems_by_field
from portal.kit.vars import computed
from portal.session.guard import DEVELOPERS, Caller, NextEvents, signed_in
from portal.session.page import PageState
from portal.session.state import Session
from portal.shared.bounds.forms import BoundsEdit, bounds_edit, budget_from_form
from portal.shared.bounds.uses import budget_uses
from portal.shell.toasts import toast

_NO_PROBLEMS = dict.fromkeys(FIELDS, "")


class Applications(PageState, Session):
    """The applications page. ``dialog`` is ``create``, ``rename``, ``bounds``, ``label-create``,
    ``label-change`` or empty; ``renamed`` is whose name or bounds it changes, ``changed`` which
    label's budget, ``bounds`` what its fields start with. ``with_archived`` shows those in the
    archive too."""

    applications: list[ApplicationRow] = []
    with_archived: bool = False
    dialog: str = ""
    renamed: ApplicationRow = ApplicationRow()
    bounds: BoundsEdit = BoundsEdit()
    uses: list[UseRow] = []
    labels: list[str] = []
    label_budgets: list[LabelBudgetRow] = []
    changed: LabelBudgetRow = LabelBudgetRow()
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
        labels, label_budgets = await _of_labels(caller)
        async with self:
            self.with_archived = archived
            self._close()
            self.applications = rows
            self.labels, self.label_budgets = labels, label_budgets
            self._ready()

    @signed_in(background=True, supersedes=True)
    async def refresh(self, caller: Caller) -> None:
        """Load them once more: one of them has changed."""
        rows = await self._rows(caller)
        labels, label_budgets = await _of_labels(caller)
        async with self:
            self.applications = rows
            self.labels, self.label_budgets = labels, label_budgets
            self._ready()

    async def _rows(self, caller: Caller) -> list[ApplicationRow]:
        now = datetime.now(UTC)
        applications = await caller.client.applications.list().all()
        keys = await caller.client.keys.list().all()
        usage = await caller.client.usage.report(**usage_query(now))
        budgets = await _budgets_used(caller, applications)
        return application_rows(applications, keys, usage, now, caller.me.tenant.time_zone, budgets)

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
    async def ask_bounds(self, caller: Caller, application_id: str) -> None:
        """Open the dialog that sets an application's limits and budget, with their use now."""
        applications = await caller.client.applications.list().all()
        uses = await caller.client.applications.limits(application_id).all()
        self._close()
        row = next((row for row in self.applications if row.id == application_id), None)
        its_own = next((each for each in applications if each.id == application_id), None)
        if row is not None and its_own is not None:
            self.bounds = bounds_edit(its_own.limits, its_own.model_limits, its_own.budget)
            self.renamed, self.uses, self.dialog = row, use_rows(uses), "bounds"

    @signed_in(roles=DEVELOPERS)
    async def set_bounds(self, caller: Caller, form: dict[str, Any]) -> NextEvents:
        """Give the application that the dialog is about other limits and another budget."""
        try:
            change = change_of_bounds(form)
            changed = await caller.client.applications.update(self.renamed.id, change)
        except (FormProblems, ClientError) as problem:
            self.problems = {**_NO_PROBLEMS, **problems_by_field(problem, by_field)}
            return None
        self._close()
        return [Applications.refresh, toast(f"Saved {changed.name}.")]

    @signed_in(roles=DEVELOPERS)
    async def ask_label_budget(self, caller: Caller, budget_id: str) -> None:
        """Open the dialog that gives a label's value a budget, or changes the one it has."""
        self._close()
        row = next((row for row in self.label_budgets if row.id == budget_id), None)
        if not budget_id:
            self.bounds, self.dialog = BoundsEdit(), "label-create"
        elif row is not None:
            use = await caller.client.label_budgets.use(budget_id)
            self.bounds = bounds_edit(RateLimits(), [], use.budget)
            self.changed, self.dialog = row, "label-change"

    @signed_in(roles=DEVELOPERS)
    async def create_label_budget(self, caller: Caller, form: dict[str, Any]) -> NextEvents:
        """Give a label's value a budget."""
        try:
            created = await caller.client.label_budgets.create(label_budget_from_form(form))
        except (FormProblems, ClientError) as problem:
            self.problems = {**_NO_PROBLEMS, **problems_by_field(problem, by_field)}
            return None
        self._close()
        name = f"{created.label} = {created.value}"
        return [Applications.refresh, toast(f"{name} has a budget now.")]

    @signed_in(roles=DEVELOPERS)
    async def change_label_budget(self, caller: Caller, form: dict[str, Any]) -> NextEvents:
        """Change the budget of the label's value that the dialog is about."""
        try:
            change = LabelBudgetChange(budget=budget_from_form(form))
            await caller.client.label_budgets.update(self.changed.id, change)
        except (FormProblems, ClientError) as problem:
            self.problems = {**_NO_PROBLEMS, **problems_by_field(problem, by_field)}
            return None
        name = self.changed.name
        self._close()
        return [Applications.refresh, toast(f"Saved the budget of {name}.")]

    @signed_in(roles=DEVELOPERS)
    async def remove_label_budget(self, caller: Caller, budget_id: str) -> NextEvents:
        """Remove the budget of a label's value: its calls go on without."""
        await caller.client.label_budgets.delete(budget_id)
        return [Applications.refresh, toast("Removed the budget.")]

    @signed_in(roles=DEVELOPERS)
    async def close(self, caller: Caller) -> None:
        """Leave everything as it is."""
        self._close()

    @signed_in(roles=DEVELOPERS)
    async def create(self, caller: Caller, form: dict[str, Any]) -> NextEvents:
        """Make an application."""
        try:
            created = await caller.client.applications.create(application_from_form(form))
        except (FormProblems, ClientError) as problem:
            self.problems = {**_NO_PROBLEMS, **problems_by_field(problem, by_field)}
            return None
        self._close()
        return [Applications.refresh, toast(f"Created {created.name}.")]

    @signed_in(roles=DEVELOPERS)
    async def rename(self, caller: Caller, form: dict[str, Any]) -> NextEvents:
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
    async def archive(self, caller: Caller, application_id: str, archived: bool) -> NextEvents:
        """Archive an application, or take it back; why it can't be is said above the list."""
        change = ApplicationChange(archived=archived)
        changed = await caller.client.applications.update(application_id, change)
        self.problem = ""
        done = "is archived" if archived else "is in use again"
        return [Applications.refresh, toast(f"{changed.name} {done}.")]

    def _close(self) -> None:
        self.dialog, self.problems = "", _NO_PROBLEMS


async def _budgets_used(
    caller: Caller, applications: Sequence[Application]
) -> dict[str, KeyBudgetUse]:
    """What is used of applications' budgets; of none for those who may not see spend."""
    budgeted = [each for each in applications if each.budget is not None]
    try:
        return await budget_uses(
            {each.id: partial(caller.client.applications.budget, each.id) for each in budgeted}
        )
    except Forbidden:
        return {}


async def _of_labels(caller: Caller) -> tuple[list[str], list[LabelBudgetRow]]:
    """The declared labels, and their values' budgets; of none for who may not see spend."""
    labels = [label.label for label in await caller.client.labels.list().all()]
    try:
        budgets = await caller.client.label_budgets.list().all()
        uses = await budget_uses(
            {each.id: partial(caller.client.label_budgets.use, each.id) for each in budgets}
        )
    except Forbidden:
        return labels, []
    zone = caller.me.tenant.time_zone
    rows = [
        label_budget_row(budget, uses[budget.id], zone) for budget in budgets if budget.id in uses
    ]
    return labels, rows
