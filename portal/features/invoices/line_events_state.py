"""The dialog that lists the events behind an invoice's line."""

from __future__ import annotations

from portal.features.invoices.rows import LineEventRow, archived_note, line_event_row
from portal.features.invoices.state import Invoices
from portal.session.guard import SPENDERS, Caller, signed_in
from portal.session.page import LOADING, PageState
from portal.session.state import Session


class LineEvents(PageState, Session):
    """``rows`` grow page by page; ``archived`` says which events are not among them."""

    shown: bool = False
    line_name: str = ""
    rows: list[LineEventRow] = []
    more: bool = False
    archived: str = ""
    _line: int = 0
    _invoice: str = ""
    _cursor: str | None = None

    @signed_in()
    async def arrive(self, caller: Caller) -> None:
        """Begin without what was open when the page was left."""
        self.shown = False

    @signed_in(roles=SPENDERS, background=True)
    async def open_line(self, caller: Caller, line: str, name: str) -> None:
        """Show the first of a line's events."""
        async with self:
            invoices = await self.get_state(Invoices)
            self.shown, self.line_name, self.rows = True, name, []
            self.more, self.archived, self.phase, self.problem = False, "", LOADING, ""
            self._invoice, self._line, self._cursor = invoices.opened, int(line), None
        await self._read_on(caller)

    @signed_in(roles=SPENDERS, background=True)
    async def read_on(self, caller: Caller) -> None:
        """Show more of them, or try again after a failure."""
        await self._read_on(caller)

    @signed_in()
    async def close_line(self, caller: Caller) -> None:
        """Go back to the invoice."""
        self.shown = False

    async def _read_on(self, caller: Caller) -> None:
        position = (self._invoice, self._line, self._cursor)
        invoice, line, cursor = position
        page = await caller.client.invoices.line_events(invoice, line, cursor=cursor).page()
        zone = caller.me.tenant.time_zone
        async with self:
            if position != (self._invoice, self._line, self._cursor):
                return  # another line was opened meanwhile, or the button pressed twice
            rows = [line_event_row(event, zone) for event in page.items]
            # The first page may come twice: the dialog was closed and opened again meanwhile
            self.rows = rows if cursor is None else [*self.rows, *rows]
            self._cursor, self.more = page.next_cursor, page.next_cursor is not None
            self.archived = archived_note(page.archived_days)
            self._ready()
