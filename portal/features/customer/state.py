"""Which customer the page is about and which tab is shown; what all tabs have."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlencode

from backend_client import ClientError
from backend_client.types.accounts import TenantChange
from portal import routes
from portal.features.customer.forms import FIELDS, by_field, checked_name
from portal.kit.facts import FactRow
from portal.kit.form_problems import FormProblems, problems_by_field
from portal.kit.formatting import date
from portal.kit.vars import computed
from portal.session.guard import Caller, NextEvents, signed_in
from portal.session.page import LOADING, PageState
from portal.session.shown_once import ShownOnce
from portal.session.state import Session, clock_text
from portal.shared.customer.state import Customer, customer_of

TABS = {
    "overview": "Overview",
    "people": "People",
    "keys": "Keys",
    "plan": "Plan and prices",
    "credit": "Credit",
    "invoices": "Invoices",
    "billing": "Billing details",
    "webhooks": "Webhooks",
}
LOADS: dict[str, Any] = {}
"""What loads each tab; the states of the tabs enter themselves."""
NO_PROBLEMS = dict.fromkeys(FIELDS, "")


class CustomerPage(ShownOnce, PageState, Session):
    """``customer`` is whom it is about; ``dialog`` is the one that is open, about ``about``.

    ``tab`` is what was chosen, and ``shown`` the tab whose content is there.
    """

    customer: Customer = Customer()
    ingest: bool = True
    facts: list[FactRow] = []
    tab: str = "overview"
    shown: str = ""
    dialog: str = ""
    about_id: str = ""
    about: str = ""
    problems: dict[str, str] = NO_PROBLEMS
    done: str = ""
    read: int = 0
    _wanted: str = ""

    @computed
    def query(self) -> str:
        """The customer and the tab, as the query of an address."""
        tab = {} if self.tab == "overview" else {"tab": self.tab}
        return urlencode({"tenant": self.customer.slug, **tab}) if self.customer.slug else ""

    def _fail(self, why: str) -> None:
        """Say why in the dialog while it is open, for it covers the page."""
        if self.dialog:
            self.problems = {**NO_PROBLEMS, "form": why}
        else:
            super()._fail(why)

    @signed_in(operator=True)
    async def arrive(self, caller: Caller) -> NextEvents:
        """Begin with the customer and the tab that the address has."""
        query = self.router.url.query_parameters
        self._wanted = query.get("tenant", "")[:200]
        self.tab = query.get("tab", "") if query.get("tab", "") in TABS else "overview"
        if self._wanted not in {self.customer.slug, self.customer.id}:
            self.customer = Customer()
        self.phase, self.problem, self.done, self.shown = LOADING, "", "", ""
        self._close()
        return CustomerPage.load

    @signed_in(operator=True)
    async def load(self, caller: Caller) -> NextEvents:
        """Load who the customer is, and then what the tab shows of it."""
        self._wanted = self._wanted or caller.me.tenant.slug
        tenant = await caller.client.tenants.get(self._wanted)
        self.customer, self.ingest = customer_of(tenant), tenant.ingest
        self.customer_clock = clock_text(tenant)
        self.customer_clock_page = routes.clock(tenant.slug)
        self.facts = [
            FactRow("Id", tenant.id),
            FactRow("Slug", tenant.slug),
            FactRow("Since", date(tenant.created_at, tenant.time_zone)),
            FactRow("Currency", tenant.currency),
            FactRow("Time zone", tenant.time_zone),
        ]
        self.read += 1
        self._ready()
        return self._shown_next()

    @signed_in(operator=True)
    async def choose_tab(self, caller: Caller, tab: str) -> NextEvents:
        """Show another tab."""
        if tab not in TABS:
            return None
        self.tab, self.done, self.problem, self.shown = tab, "", "", ""
        self._close()
        return self._shown_next()

    @signed_in(operator=True)
    async def close_dialog(self, caller: Caller) -> None:
        """Leave everything as it is; a secret that was shown is forgotten."""
        self._close()

    @signed_in(operator=True)
    async def rename(self, caller: Caller, form: dict[str, Any]) -> NextEvents:
        """Give the customer another name."""

        async def act() -> str:
            change = TenantChange(name=checked_name(form))
            tenant = await caller.client.tenants.update(self.customer.id, change)
            self.customer = customer_of(tenant)
            return "The name is changed."

        return await self._try(act, CustomerPage.load)

    @signed_in(operator=True)
    async def set_ingest(self, caller: Caller, allowed: bool) -> NextEvents:
        """Let the customer's own keys send events, or refuse them."""

        async def act() -> str:
            await caller.client.tenants.update(self.customer.id, TenantChange(ingest=allowed))
            return (
                "Its own keys may send events again."
                if allowed
                else "Events that its own keys send are refused within seconds. Calls go on."
            )

        return await self._try(act, CustomerPage.load)

    def _shown_next(self) -> NextEvents:
        """What brings the tab that was chosen; the overview is there already."""
        if self.tab not in LOADS:
            self.shown = self.tab
        return LOADS.get(self.tab)

    def _is_about_another(self, tenant: str) -> bool:
        """Tell whether the operator went on to another customer while this one's tab was loaded.

        What a tab then showed would be one customer's, and what its forms do the other's.
        """
        return tenant != self._wanted

    def _show(self, tab: str) -> None:
        """Show a tab's content, unless another was chosen in the meantime."""
        if self.tab == tab:
            self.shown, self.problem = tab, ""

    async def _try(self, act: Callable[[], Awaitable[str]], after: NextEvents) -> NextEvents:
        """Do what a form asks for and load again; or say what is wrong, at its fields."""
        self.problems = NO_PROBLEMS
        try:
            done = await act()
        except (FormProblems, ClientError) as problem:
            wrong = problems_by_field(problem, by_field)
            self.problems = {**NO_PROBLEMS, **wrong}
            if not self.dialog and "form" in wrong:
                self.problem = wrong["form"]
            return None
        if not self._secret:
            self._close()
        self.done, self.problem = done, ""
        return after

    def _open(self, dialog: str, about_id: str = "", about: str = "") -> None:
        self._close()
        self.dialog, self.about_id, self.about, self.done = dialog, about_id, about, ""

    def _close(self) -> None:
        self.dialog = self.about_id = self.about = ""
        self.problems = NO_PROBLEMS
        self._forget_secret()
