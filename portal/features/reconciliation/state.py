"""The operator's page on providers' exports: what differs from what was metered, and why."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from backend_client import PATIENT
from backend_client.types.reconciliation import (
    DiscrepancyChange,
    DiscrepancyStatus,
)
from portal.features.reconciliation.rows import (
    DifferenceRow,
    DriftLine,
    ImportRow,
    MarginLine,
    difference_row,
    drift_line,
    import_row,
    margin_line,
)
from portal.features.reconciliation.upload import failures
from portal.kit.vars import computed
from portal.session.guard import Caller, signed_in
from portal.session.page import PageState
from portal.session.state import Session

SHOWN = 200
"""Discrepancies on the page; the CSV has all of them."""


class Reconciliations(PageState, Session):
    """The imports, one of them chosen, and one of its discrepancies open to be decided."""

    imports: list[ImportRow] = []
    chosen: str = ""
    only_open: bool = True
    rows: list[DifferenceRow] = []
    more: bool = False
    margin: list[MarginLine] = []
    drift: list[DriftLine] = []
    deciding: str = ""
    deciding_about: str = ""
    form_problem: str = ""
    failure: str = ""

    @computed
    def query(self) -> str:
        """The chosen import, and whether all of it is shown, as the query of an address."""
        shown = {"imported": self.chosen, "all": "" if self.only_open else "1"}
        return urlencode({name: value for name, value in shown.items() if value})

    @signed_in(operator=True)
    async def load(self, caller: Caller) -> None:
        """Load what the address asks for: what has just been dropped, or was chosen."""
        view = self.router.url.query_parameters
        self.failure = failures.find(caller.me.user_id or "", view.get("failed", ""))
        self.chosen, self.only_open = view.get("imported", ""), view.get("all", "") != "1"
        await self._look(caller)

    @signed_in(operator=True)
    async def choose(self, caller: Caller, reconciliation_id: str) -> None:
        """Show another import's discrepancies."""
        self.chosen = reconciliation_id
        await self._load_rows(caller)

    @signed_in(operator=True)
    async def show_open(self, caller: Caller, only: bool) -> None:
        """Show what is open alone, or all."""
        self.only_open = only
        await self._load_rows(caller)

    @signed_in(operator=True)
    async def match_again(self, caller: Caller) -> None:
        """Compare the chosen import with what is metered now."""
        await caller.client.with_profile(PATIENT).reconciliations.rematch(self.chosen)
        await self._look(caller)

    @signed_in(operator=True)
    async def remove(self, caller: Caller, reconciliation_id: str) -> None:
        """Remove an import with its discrepancies and notes."""
        await caller.client.reconciliations.remove(reconciliation_id)
        await self._look(caller)

    @signed_in(operator=True)
    async def open_decision(self, caller: Caller, discrepancy_id: str) -> None:
        """Ask what is made of a discrepancy."""
        row = next((row for row in self.rows if row.id == discrepancy_id), None)
        if row is not None:
            self.deciding, self.form_problem = row.id, ""
            self.deciding_about = f"{row.day}, {row.what}. {row.explanation}"

    @signed_in(operator=True)
    async def close_decision(self, caller: Caller) -> None:
        """Leave it as it is."""
        self.deciding = ""

    @signed_in(operator=True)
    async def decide(self, caller: Caller, form: dict[str, Any]) -> None:
        """Keep what is made of the discrepancy, with the note."""
        note = str(form.get("note", "")).strip()
        if not note:
            self.form_problem = "A note is needed: it is what an auditor reads."
            return
        change = DiscrepancyChange(status=DiscrepancyStatus(str(form.get("status"))), note=note)
        await caller.client.reconciliations.discrepancies.update(self.chosen, self.deciding, change)
        self.deciding = ""
        await self._look(caller)

    async def _look(self, caller: Caller) -> None:
        """Load the imports, what differs in the chosen one, the margin, and a month's drift."""
        reconciliations = await caller.client.reconciliations.list().all()
        self.imports = [import_row(reconciliation) for reconciliation in reconciliations]
        if self.chosen not in {reconciliation.id for reconciliation in reconciliations}:
            self.chosen = reconciliations[0].id if reconciliations else ""
        await self._load_rows(caller)
        self.margin = [margin_line(row) for row in (await caller.client.margin.report()).rows]
        self.drift = [
            drift_line(model_drift) for model_drift in (await caller.client.drift.report()).models
        ]
        self._ready()

    async def _load_rows(self, caller: Caller) -> None:
        if not self.chosen:
            self.rows, self.more = [], False
            return
        statuses = (DiscrepancyStatus.OPEN,) if self.only_open else ()
        discrepancies = caller.client.reconciliations.discrepancies
        page = await discrepancies.list(self.chosen, status=statuses, limit=SHOWN).page()
        self.rows = [difference_row(discrepancy) for discrepancy in page.items]
        self.more = page.next_cursor is not None
