"""The statements of the chargeback page: a month, its rows, the lines behind one, and its close."""

from __future__ import annotations

from urllib.parse import urlencode

from backend_client.types.chargeback import ChargebackMode, MonthState, Statement
from portal.features.chargeback.rows import (
    NOBODY,
    STATES,
    BearerRow,
    PartRow,
    bearer_rows,
    month_choice,
    month_note,
    part_row,
)
from portal.kit.choice import Choice
from portal.kit.color import Color
from portal.kit.formatting import money
from portal.kit.vars import computed
from portal.session.guard import PLANNERS, SPENDERS, Caller, signed_in
from portal.session.page import PageState
from portal.session.state import Session

MOST_PARTS = 100


class Chargeback(PageState, Session):
    """``month`` is the first day of the month that is shown, ``opened`` the row of the lines."""

    months: list[Choice] = []
    month: str = ""
    status: str = ""
    color: Color = "gray"
    note: str = ""
    cost: str = ""
    charged: str = ""
    margin: str = ""
    unallocated: str = ""
    has_unallocated: bool = False
    tax: str = ""
    rows: list[BearerRow] = []
    can_close: bool = False
    has_journal: bool = False

    opened: str = ""
    opened_name: str = ""
    parts: list[PartRow] = []
    more_parts: bool = False
    done: str = ""

    @computed
    def query(self) -> str:
        """The month, as the query of an address."""
        return urlencode({"month": self.month}) if self.month else ""

    @signed_in(roles=SPENDERS, background=True, supersedes=True)
    async def load(self, caller: Caller) -> None:
        """Load the months, and the statement of the one that the address names, or of the last."""
        wanted = self.router.url.query_parameters.get("month", "")
        await self._load(caller, wanted)

    @signed_in(roles=SPENDERS, background=True, supersedes=True)
    async def refresh(self, caller: Caller) -> None:
        """Load what is shown again: a policy was changed."""
        await self._load(caller, self.month)

    @signed_in(roles=SPENDERS, background=True, supersedes=True)
    async def choose_month(self, caller: Caller, month: str) -> None:
        """Show another month."""
        async with self:
            self.done = ""
        await self._load(caller, month)

    @signed_in(roles=SPENDERS, background=True)
    async def open_row(self, caller: Caller, opens: str, name: str) -> None:
        """Show the parts of lines behind a row."""
        unit = "" if opens == NOBODY else opens
        page = await caller.client.chargeback.lines(self.month, unit=unit, limit=MOST_PARTS).page()
        async with self:
            self.opened, self.opened_name = opens, name
            self.parts = [part_row(line) for line in page.items]
            self.more_parts = page.next_cursor is not None

    @signed_in()
    async def close_row(self, caller: Caller) -> None:
        """Put the lines away."""
        self.opened = ""

    @signed_in(roles=PLANNERS, background=True)
    async def close_month(self, caller: Caller) -> None:
        """Close the month that is shown, for good."""
        statement = await caller.client.chargeback.close(self.month)
        async with self:
            self.done = f"{self._name(statement)} is closed. What comes late is the next month’s."
        await self._load(caller, self.month)

    async def _load(self, caller: Caller, wanted: str) -> None:
        months = await caller.client.chargeback.months().all()
        over = [month for month in months if month.state is not MonthState.RUNNING]
        days = [month.month.isoformat() for month in months]
        first = over[0].month.isoformat() if over else next(iter(days), "")
        month = wanted if wanted in days else first
        statement = await caller.client.chargeback.statement(month) if month else None
        async with self:
            self.months = [month_choice(each) for each in months]
            self.month, self.opened, self.parts = month, "", []
            if statement is not None:
                self._show(statement)
            self._ready()

    def _show(self, statement: Statement) -> None:
        currency = statement.cost.currency
        self.status, self.color = STATES[statement.state]
        self.note = month_note(statement)
        self.cost = money(statement.cost.amount, currency)
        self.charged = money(statement.charged.amount, currency)
        self.margin = f"Margin {money(statement.margin.amount, currency)}"
        self.unallocated = money(statement.unallocated.amount, currency)
        self.has_unallocated = statement.unallocated.amount != 0
        self.tax = f"Before tax of {money(statement.tax.amount, currency)}"
        self.rows = bearer_rows(statement)
        self.can_close = statement.state is MonthState.OPEN and statement.has_policy
        booked = statement.mode is ChargebackMode.CHARGEBACK
        self.has_journal = statement.state is MonthState.CLOSED and booked

    def _name(self, statement: Statement) -> str:
        return next(
            (each.name.partition(" (")[0] for each in self.months if each.id == self.month),
            str(statement.month),
        )
