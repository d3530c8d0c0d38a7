"""The chart of accounts: a draft of it, and saving that."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from backend_client import ClientError, Conflict
from backend_client.types.accounting import BookTermsPut, BookTermsVersion
from portal.features.accounting.chart import (
    GROUPS,
    NO_PROBLEMS,
    ChangeRow,
    ChartRow,
    account_from,
    accounts_of,
    addition_from,
    change_rows,
    changed,
    changes_of,
    chart_of,
    chart_rows,
    is_posting,
    name_of,
    saving_problems,
    standard_of,
)
from portal.features.accounting.state import Accounting
from portal.kit.form_problems import FormProblems
from portal.kit.formatting import day
from portal.kit.vars import computed
from portal.session.guard import Caller, NextEvents, signed_in
from portal.session.page import PageState
from portal.session.state import Session


class Chart(PageState, Session):
    """``changes`` are those of the draft that are not saved.

    ``dialog`` is ``edit``, ``add``, ``save`` or empty; ``posting`` what an edit is of, and
    ``standard`` the account that it has by default, or goes to without one of its own.
    """

    rows: list[ChartRow] = []
    changes: list[ChangeRow] = []
    changed_on: str = ""
    dialog: str = ""
    posting: str = ""
    name: str = ""
    account: str = ""
    standard: str = ""
    has_name: bool = False
    opened_times: int = 0
    problems: dict[str, str] = NO_PROBLEMS
    done: str = ""

    _kept: BookTermsVersion | None = None
    _held: dict[str, str] = {}
    _draft: dict[str, str] = {}

    def _fail(self, why: str) -> None:
        """Say why in the dialog while it is open, for it covers the page."""
        if self.dialog:
            self.problems = {**NO_PROBLEMS, "form": why}
        else:
            super()._fail(why)

    @computed
    def unsaved(self) -> str:
        """How much is not saved; empty when nothing is."""
        if not self.changes:
            return ""
        return "1 change is" if len(self.changes) == 1 else f"{len(self.changes)} changes are"

    @signed_in(operator=True, background=True, supersedes=True)
    async def load(self, caller: Caller) -> None:
        """Load the chart as it is kept."""
        kept = await caller.client.accounting.terms()
        async with self:
            self.dialog, self.done = "", ""
            self._keep(kept, {})
            self._ready()

    @signed_in(operator=True)
    async def ask_edit(self, caller: Caller, posting: str) -> None:
        """Open the form of a posting's account."""
        if is_posting(posting, {**self._held, **self._draft}):
            group, _, name = posting.partition(".")
            self._open("edit")
            self.posting, self.name = posting, name_of(posting)
            self.has_name = bool(name)
            self.account = self._draft.get(posting, "")
            self.standard = self._draft[GROUPS[group][0]] if name else standard_of(posting)

    @signed_in(operator=True)
    async def ask_add(self, caller: Caller) -> None:
        """Open the form that gives something with a name an account of its own."""
        self._open("add")

    @signed_in(operator=True)
    async def ask_save(self, caller: Caller) -> None:
        """Say what saving changes before it does."""
        if self.changes:
            self._open("save")

    @signed_in(operator=True)
    async def close_dialog(self, caller: Caller) -> None:
        """Leave everything as it is."""
        self.dialog = ""

    @signed_in(operator=True)
    async def apply(self, caller: Caller, form: dict[str, Any]) -> None:
        """Book a posting on the account that was written, in the draft."""
        posting = self.posting
        if is_posting(posting, {**self._held, **self._draft}):
            self._try(lambda: account_from(form, posting, self._draft))

    @signed_in(operator=True)
    async def add(self, caller: Caller, form: dict[str, Any]) -> None:
        """Give something with a name an account of its own, in the draft."""
        self._try(lambda: addition_from(form, self._draft))

    @signed_in(operator=True)
    async def use_default(self, caller: Caller) -> None:
        """Give the posting that is edited the account that it has by default, in the draft."""
        if is_posting(self.posting, {**self._held, **self._draft}):
            self.dialog = ""
            self._show(changed(self._draft, {self.posting: standard_of(self.posting)}))

    @signed_in(operator=True)
    async def reset_all(self, caller: Caller) -> None:
        """Give every posting its account by default, in the draft."""
        self.done = ""
        self._show({posting: standard_of(posting) for posting in self._held if "." not in posting})

    @signed_in(operator=True)
    async def discard(self, caller: Caller) -> None:
        """Go back to what is kept."""
        self._show(self._held)
        self.done = "Your changes are discarded."

    @signed_in(operator=True)
    async def save(self, caller: Caller) -> NextEvents:
        """Keep the draft. What somebody else has saved meanwhile stays, below the changes."""
        if self._kept is None or not self.changes:
            return None
        accounting = caller.client.accounting
        try:
            terms = self._kept.terms.model_copy(update={"accounts": chart_of(self._draft)})
            wanted = BookTermsPut(terms=terms, revision=self._kept.revision)
            kept = await accounting.set_terms(wanted)
        except Conflict:
            self._keep(await accounting.terms(), changes_of(self._held, self._draft))
            self._say_meanwhile()
            return Accounting.refresh
        except (FormProblems, ClientError) as wrong:
            self._say_why(saving_problems(wrong, self._draft))
            return None
        self.dialog = ""
        self._keep(kept, {})
        self.done = "Saved. The journal names these accounts now, in every month."
        return Accounting.refresh

    def _say_why(self, problems: dict[str, str]) -> None:
        """Say what is of a posting at its row, which the dialog would cover."""
        whole = problems.get("form", "")
        if not whole:
            self.dialog = ""
        self.problems = {**NO_PROBLEMS, "form": whole}
        self.rows = chart_rows(self._held, self._draft, problems)

    def _say_meanwhile(self) -> None:
        if self.changes:
            meanwhile = (
                "Somebody has changed how the books are kept meanwhile. Your changes are on "
            )
            self.problems = {**NO_PROBLEMS, "form": meanwhile + "top of theirs: look, and save."}
        else:
            self.dialog, self.done = "", "Somebody has saved the same meanwhile."

    def _open(self, dialog: str) -> None:
        self.dialog, self.problems, self.done = dialog, NO_PROBLEMS, ""
        self.opened_times += 1

    def _try(self, change: Callable[[], dict[str, str]]) -> None:
        try:
            draft = change()
        except FormProblems as wrong:
            self.problems = {**NO_PROBLEMS, **wrong.by_field}
            return
        self.dialog = ""
        self._show(draft)

    def _keep(self, kept: BookTermsVersion, changes: dict[str, str]) -> None:
        self._kept, self._held = kept, accounts_of(kept.terms.accounts)
        self.changed_on = "" if kept.changed_at is None else day(kept.changed_at.date())
        self._show(changed(self._held, changes))

    def _show(self, draft: dict[str, str]) -> None:
        self._draft, self.problem = dict(draft), ""
        self.rows = chart_rows(self._held, self._draft, {})
        self.changes = change_rows(self._held, self._draft)
