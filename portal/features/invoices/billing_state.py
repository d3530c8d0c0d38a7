"""The dialog that says how a customer is named and taxed on its invoices."""

from __future__ import annotations

from typing import Any

from backend_client import ClientError
from backend_client.types.invoices import BillingDetails
from portal.features.invoices.state import Invoices
from portal.kit.facts import FactRow
from portal.kit.form_problems import FormProblems, problems_by_field
from portal.session.guard import PLANNERS, SPENDERS, Caller, NextEvents, signed_in
from portal.session.page import LOADING, READY, PageState
from portal.session.state import Session
from portal.shared.billing.details import (
    FIELDS,
    FormValues,
    as_facts,
    as_written,
    by_field,
    details_from,
)

_NO_PROBLEMS = dict.fromkeys(FIELDS, "")


class Billing(PageState, Session):
    """``values`` is what the form begins with, ``facts`` the same for who can't change it."""

    opened: bool = False
    values: FormValues = FormValues()
    facts: list[FactRow] = []
    problems: dict[str, str] = _NO_PROBLEMS
    done: str = ""

    def _fail(self, why: str) -> None:
        """Say why in the dialog while it is open, for it covers the page."""
        if not self.opened:
            self.notice = why
        elif self.phase == READY:
            self.problems = {**_NO_PROBLEMS, "form": why}
        else:
            super()._fail(why)

    @signed_in()
    async def arrive(self, caller: Caller) -> None:
        """Begin without what was open or done when the page was left."""
        self.opened, self.done = False, ""

    @signed_in(roles=SPENDERS, background=True)
    async def open_details(self, caller: Caller) -> None:
        """Open the dialog, and load what it shows."""
        async with self:
            self.opened, self.phase, self.problem = True, LOADING, ""
            self.problems, self.done = _NO_PROBLEMS, ""
        details = await caller.client.billing_details.get()
        async with self:
            self._show_details(details, caller)
            self._ready()

    @signed_in()
    async def close_details(self, caller: Caller) -> None:
        """Leave everything as it is."""
        self.opened = False

    @signed_in(roles=PLANNERS)
    async def save(self, caller: Caller, form: dict[str, Any]) -> NextEvents:
        """Keep what the form says, for the invoices to come."""
        self.problems = _NO_PROBLEMS
        try:
            details = await caller.client.billing_details.update(details_from(form))
        except (FormProblems, ClientError) as problem:
            self.problems = {**_NO_PROBLEMS, **problems_by_field(problem, by_field)}
            return None
        self._show_details(details, caller)
        self.opened = False
        self.done = "Billing details saved. New invoices carry them."
        return Invoices.refresh

    def _show_details(self, details: BillingDetails, caller: Caller) -> None:
        self.values = as_written(details)
        self.facts = as_facts(details, caller.me.tenant.name)
