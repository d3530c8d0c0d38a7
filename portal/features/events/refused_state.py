"""The tenant's events that were refused, for its events page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from portal.session import polling
from portal.session.guard import Caller, signed_in
from portal.session.live import polled
from portal.session.page import PageState
from portal.session.state import Session
from portal.shared.events.refused_rows import SHOWN, RefusedRow, refused_row
from portal.shared.names import names_of


class RefusedOfTenant(PageState, Session):
    """Why events were refused, newest day first."""

    rows: list[RefusedRow] = []

    @signed_in(background=True, supersedes=True)
    async def watch(self, caller: Caller) -> Sequence[Any]:
        """Load what was refused, and follow it until the browser leaves the page."""
        names: dict[str, str] = {}

        async def look() -> None:
            nonlocal names
            ask = caller.client.events.refused(limit=SHOWN).page
            page = await polled(caller, "refused", ask, polling.REFUSED_EVENTS)
            if any(
                refused.credential and refused.credential not in names for refused in page.items
            ):
                names = await names_of(caller)
            zone = caller.me.tenant.time_zone
            async with self:
                self.rows = [refused_row(refused, names, zone) for refused in page.items]
                self._ready()

        return await self._follow(caller, look, polling.REFUSED_EVENTS)
