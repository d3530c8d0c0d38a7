"""A month of the books: its revenue, what is deferred beyond it, and its journal."""

from __future__ import annotations

from datetime import UTC, date, datetime
from urllib.parse import urlencode

from portal.features.accounting.rows import (
    EVERYBODY,
    MONTHS_AHEAD,
    MOST_LINES,
    LineRow,
    RevenueRow,
    deferred_rows,
    line_rows,
    months_back,
    months_on,
    revenue_rows,
)
from portal.kit.choice import Choice
from portal.kit.vars import computed
from portal.session.guard import Caller, signed_in
from portal.session.page import PageState
from portal.session.state import Session

_OFFERED = 200


class Accounting(PageState, Session):
    """``month`` is the first day of the month that is shown, ``customer`` whose books they are."""

    months: list[Choice] = []
    month: str = ""
    customers: list[Choice] = []
    customer: str = EVERYBODY
    provisional: bool = False
    revenue: list[RevenueRow] = []
    deferred: list[RevenueRow] = []
    lines: list[LineRow] = []
    more_lines: bool = False

    @computed
    def query(self) -> str:
        """The month and the customer, as the query of an address."""
        shown = {"month": self.month, "customer": self.customer}
        return urlencode({name: value for name, value in shown.items() if value != EVERYBODY})

    @signed_in(operator=True, background=True, supersedes=True)
    async def load(self, caller: Caller) -> None:
        """Load what the address names; of all customers the month before this one, if nothing."""
        asked = self.router.url.query_parameters
        await self._load(caller, asked.get("month", ""), asked.get("customer", EVERYBODY))

    @signed_in(operator=True, background=True, supersedes=True)
    async def choose_month(self, caller: Caller, month: str) -> None:
        """Show another month."""
        await self._load(caller, month, self.customer)

    @signed_in(operator=True, background=True, supersedes=True)
    async def choose_customer(self, caller: Caller, customer: str) -> None:
        """Show another customer's books, or those of all."""
        await self._load(caller, self.month, customer)

    @signed_in(operator=True, background=True, supersedes=True)
    async def refresh(self, caller: Caller) -> None:
        """Load the month once more: its accounts have changed."""
        await self._load(caller, self.month, self.customer)

    async def _load(self, caller: Caller, wanted: str, of: str) -> None:
        months = months_back(datetime.now(UTC).date())
        days = [month.id for month in months]
        month = wanted if wanted in days else days[1]
        tenants = (await caller.client.tenants.list(limit=_OFFERED).page()).items
        if of != EVERYBODY and of not in {tenant.id for tenant in tenants}:
            # Beyond those that are offered, by the address
            tenants = [*(await caller.client.tenants.list(search=of[:200]).page()).items, *tenants]
        customers = [Choice(tenant.id, tenant.name) for tenant in tenants]
        customer = of if of in {each.id for each in customers} else EVERYBODY
        tenant = None if customer == EVERYBODY else customer
        first = date.fromisoformat(month)
        accounting = caller.client.accounting
        last = months_on(first, MONTHS_AHEAD).isoformat()
        schedule = await accounting.revenue(month, last, tenant=tenant)
        journal = await accounting.journal(month, tenant=tenant).page()
        lines = line_rows(journal.items)
        async with self:
            self.months, self.month = months, month
            self.customers, self.customer = customers, customer
            own = [row for row in schedule.rows if row.month == first]
            self.provisional = any(row.provisional for row in own)
            self.revenue = revenue_rows(own, first)
            self.deferred = deferred_rows(schedule.rows)
            self.lines = lines[:MOST_LINES]
            self.more_lines = len(lines) > MOST_LINES or journal.next_cursor is not None
            self._ready()
