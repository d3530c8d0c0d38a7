"""Events of all customers that were refused, for the operator's page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from portal.session import polling
from portal.session.guard import Caller, signed_in
from portal.session.live import polled
from portal.session.page import PageState
from portal.session.state import Session
from portal.shared.events.refused_rows import SHOWN, RefusedRow, refused_row


class RefusedOfAll(PageState, Session):
    """Why events were refused, newest day first, of every customer."""

    rows: list[RefusedRow] = []

    @signed_in(operator=True, background=True, supersedes=True)
    async def watch(self, caller: Caller) -> Sequence[Any]:
        """Load what was refused, and follow it until the browser leaves the page."""

        async def look() -> None:
            ask = caller.client.pipeline.refused_events(limit=SHOWN).page
            page = await polled(caller, "refused of all", ask, polling.REFUSED_EVENTS)
            zone = caller.me.tenant.time_zone
            async with self:
                self.rows = [refused_row(refused, {}, zone) for refused in page.items]
                self._ready()

        return await self._follow(caller, look, polling.REFUSED_EVENTS)
