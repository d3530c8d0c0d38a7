"""How far invoice runs are, for the operator's page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from portal.features.operations.runs_rows import RunRow, run_row
from portal.session import polling
from portal.session.guard import Caller, signed_in
from portal.session.live import polled
from portal.session.page import PageState
from portal.session.state import Session

SHOWN = 5


class InvoiceRuns(PageState, Session):
    """The last runs, newest first."""

    runs: list[RunRow] = []

    @signed_in(operator=True, background=True, supersedes=True)
    async def watch(self, caller: Caller) -> Sequence[Any]:
        """Load the last runs, and follow them until the browser leaves the page."""

        async def look() -> None:
            ask = caller.client.invoice_runs.list().all
            runs = await polled(caller, "invoice runs", ask, polling.INVOICE_RUNS)
            zone = caller.me.tenant.time_zone
            async with self:
                self.runs = [run_row(run, zone) for run in runs[:SHOWN]]
                self._ready()

        return await self._follow(caller, look, polling.INVOICE_RUNS)
