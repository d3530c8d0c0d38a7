"""The editor of departments and rules: a draft of a policy, its preview, and keeping it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from backend_client import ClientError
from backend_client.types.chargeback import (
    Policy,
    PolicyPut,
    PolicyVersion,
    StatementPreview,
)
from portal.features.chargeback.forms import (
    FIELDS,
    UnitValues,
    by_field,
    day_from,
    moved,
    rule_from,
    shared_from,
    terms_from,
    unit_from,
    unit_values,
    without_unit,
)
from portal.features.chargeback.policy_rows import (
    MODES,
    RuleRow,
    UnitRow,
    cost_centers_of,
    parents_of,
    price_name,
    rule_rows,
    shared_rows,
    unit_rows,
    version_choice,
)
from portal.features.chargeback.rows import BearerRow, bearer_rows
from portal.features.chargeback.state import Chargeback
from portal.kit.choice import Choice
from portal.kit.form_problems import FormProblems, problems_by_field
from portal.kit.formatting import day, money, period
from portal.session.guard import PLANNERS, SPENDERS, Caller, NextEvents, signed_in
from portal.session.page import PageState
from portal.session.state import Session
from portal.shared.names import names_of

_NO_PROBLEMS = dict.fromkeys(FIELDS, "")
_FORMS = frozenset({"unit", "rule", "shared", "terms", "save"})


class Policies(PageState, Session):
    """``_draft`` is the policy as it is being edited, ``changed`` whether anything was."""

    versions: list[Choice] = []
    chosen: str = ""
    locked: bool = False
    changed: bool = False
    units: list[UnitRow] = []
    parents: list[Choice] = []
    centers: list[Choice] = []
    rules: list[RuleRow] = []
    shared: list[RuleRow] = []
    mode: str = "showback"
    mode_name: str = ""
    price: str = "cost"
    price_text: str = ""
    percent: str = ""
    applications: list[Choice] = []
    keys: list[Choice] = []
    labels: list[Choice] = []

    preview: list[BearerRow] = []
    preview_title: str = ""
    preview_note: str = ""

    dialog: str = ""
    editing: str = ""
    values: UnitValues = UnitValues()
    opened_times: int = 0
    problems: dict[str, str] = _NO_PROBLEMS
    done: str = ""

    _draft: Policy = Policy()
    _versions: list[PolicyVersion] = []
    _names: dict[str, str] = {}

    def _fail(self, why: str) -> None:
        """Say why in the dialog while it is open, for it covers the page."""
        if self.dialog:
            self.problems = {**_NO_PROBLEMS, "form": why}
        else:
            super()._fail(why)

    @signed_in(roles=SPENDERS, background=True, supersedes=True)
    async def load(self, caller: Caller) -> None:
        """Load the policies, and show the latest."""
        await self._load(caller, "")

    @signed_in(roles=SPENDERS, background=True, supersedes=True)
    async def choose(self, caller: Caller, valid_from: str) -> None:
        """Show another policy; what was changed and not kept is gone."""
        await self._load(caller, valid_from)

    @signed_in(roles=PLANNERS)
    async def open_dialog(self, caller: Caller, name: str) -> None:
        """Open a form of the editor."""
        if name in _FORMS:
            self._open(name, "")

    @signed_in(roles=PLANNERS)
    async def edit_unit(self, caller: Caller, code: str) -> None:
        """Open the form of a department or a cost center that is there."""
        self._open("unit", code)

    @signed_in()
    async def close_dialog(self, caller: Caller) -> None:
        """Leave everything as it is."""
        self.dialog = ""

    @signed_in(roles=PLANNERS)
    async def add_unit(self, caller: Caller, form: dict[str, Any]) -> None:
        """Add a department or a cost center to the draft, or change the one that was opened."""
        self._try(lambda: unit_from(form, self._draft, self.editing), caller)

    @signed_in(roles=PLANNERS)
    async def remove_unit(self, caller: Caller, code: str) -> None:
        """Take a unit out of the draft, with the rules that name it."""
        self._edit(without_unit(code, self._draft), caller)

    @signed_in(roles=PLANNERS)
    async def add_rule(self, caller: Caller, form: dict[str, Any]) -> None:
        """Add a rule for usage to the draft."""
        self._try(lambda: rule_from(form, self._draft), caller)

    @signed_in(roles=PLANNERS)
    async def remove_rule(self, caller: Caller, place: int) -> None:
        """Take a rule for usage out of the draft."""
        rules = [rule for at, rule in enumerate(self._draft.rules) if at != place]
        self._edit(self._draft.model_copy(update={"rules": rules}), caller)

    @signed_in(roles=PLANNERS)
    async def raise_rule(self, caller: Caller, place: int) -> None:
        """Let a rule for usage be asked earlier."""
        rules = moved(self._draft.rules, place, -1)
        self._edit(self._draft.model_copy(update={"rules": rules}), caller)

    @signed_in(roles=PLANNERS)
    async def add_shared(self, caller: Caller, form: dict[str, Any]) -> None:
        """Add a rule for shared costs to the draft."""
        self._try(lambda: shared_from(form, self._draft), caller)

    @signed_in(roles=PLANNERS)
    async def remove_shared(self, caller: Caller, place: int) -> None:
        """Take a rule for shared costs out of the draft."""
        shared = [rule for at, rule in enumerate(self._draft.shared) if at != place]
        self._edit(self._draft.model_copy(update={"shared": shared}), caller)

    @signed_in(roles=PLANNERS)
    async def set_terms(self, caller: Caller, form: dict[str, Any]) -> None:
        """Set the mode and the transfer price of the draft."""
        self._try(lambda: terms_from(form, self._draft), caller)

    @signed_in(roles=SPENDERS, background=True)
    async def show_preview(self, caller: Caller) -> None:
        """Show what the last month would be under the draft."""
        shown = await caller.client.chargeback.preview(StatementPreview(policy=self._draft))
        currency = shown.cost.currency
        span = period(shown.period.start, shown.period.end, shown.period.time_zone)
        async with self:
            self.problem = ""
            self.preview = bearer_rows(shown)
            self.preview_title = f"Preview of {span}"
            self.preview_note = (
                f"{money(shown.allocated.amount, currency)} of "
                f"{money(shown.cost.amount, currency)} would be allocated. Nothing is saved yet."
            )

    @signed_in(roles=PLANNERS)
    async def save(self, caller: Caller, form: dict[str, Any]) -> NextEvents:
        """Save the draft, to hold from a day on."""
        try:
            first = day_from(form)
            held = [each.revision for each in self._versions if each.valid_from == first]
            wanted = PolicyPut(policy=self._draft, revision=next(iter(held), None))
            kept = await caller.client.chargeback.policies.put(first.isoformat(), wanted)
        except (FormProblems, ClientError) as problem:
            self.problems = {**_NO_PROBLEMS, **problems_by_field(problem, by_field)}
            return None
        self.dialog = ""
        await self._reload(caller, kept.valid_from.isoformat())
        self.done = f"Saved. It holds from {day(kept.valid_from)} on."
        return Chargeback.refresh

    async def _load(self, caller: Caller, wanted: str) -> None:
        names = await names_of(caller)
        applications = await caller.client.applications.list().all()
        keys = await caller.client.keys.list().all()
        labels = await caller.client.labels.list().all()
        versions = await caller.client.chargeback.policies.list().all()
        async with self:
            self._names = names
            self.applications = [Choice(each.id, each.name) for each in applications]
            self.keys = [Choice(each.id, names[each.id]) for each in keys]
            self.labels = [Choice(each.label, each.label) for each in labels]
            self.done, self.preview, self.preview_title = "", [], ""
            self._show_versions(versions, wanted, caller)
            self._ready()

    async def _reload(self, caller: Caller, wanted: str) -> None:
        versions = await caller.client.chargeback.policies.list().all()
        self._show_versions(versions, wanted, caller)

    def _show_versions(self, versions: list[PolicyVersion], wanted: str, caller: Caller) -> None:
        self._versions = versions
        self.versions = [version_choice(version) for version in versions]
        days = {version.valid_from.isoformat(): version for version in versions}
        shown = days.get(wanted) or next(iter(versions), None)
        self.chosen = "" if shown is None else shown.valid_from.isoformat()
        self.locked = shown is not None and shown.locked
        self._edit(Policy() if shown is None else shown.policy, caller)
        self.changed = False

    def _open(self, dialog: str, code: str) -> None:
        self.dialog, self.problems, self.done = dialog, _NO_PROBLEMS, ""
        self.editing, self.values = code, unit_values(code, self._draft)
        self.opened_times += 1

    def _try(self, change: Callable[[], Policy], caller: Caller) -> None:
        try:
            policy = change()
        except FormProblems as problem:
            self.problems = {**_NO_PROBLEMS, **problem.by_field}
            return
        self.dialog = ""
        self._edit(policy, caller)

    def _edit(self, policy: Policy, caller: Caller) -> None:
        self._draft = policy
        self.changed = True
        self.done = ""
        self.units = unit_rows(policy, caller.me.tenant.currency)
        self.parents = parents_of(policy)
        self.centers = cost_centers_of(policy)
        self.rules = rule_rows(policy, self._names)
        self.shared = shared_rows(policy)
        self.mode, self.mode_name = policy.mode.value, MODES[policy.mode]
        self.price = policy.transfer.price.value
        self.price_text = price_name(policy.transfer)
        self.percent = f"{policy.transfer.percent:f}"
        self.preview, self.preview_title = [], ""
