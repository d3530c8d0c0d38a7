"""The person's sessions: listed, and ended one by one or all others at once."""

from __future__ import annotations

from datetime import UTC, datetime

from portal.features.sessions.rows import SessionRow, session_rows
from portal.session.guard import Caller, NextEvents, signed_in
from portal.session.page import PageState
from portal.session.state import Session
from portal.shell.toasts import toast


class Sessions(PageState, Session):
    """The sessions page."""

    sessions: list[SessionRow] = []

    @signed_in(background=True)
    async def load(self, caller: Caller) -> None:
        """Load the sessions."""
        sessions = await caller.client.sessions.list().all()
        rows = session_rows(sessions, datetime.now(UTC), caller.me.tenant.time_zone)
        async with self:
            self.sessions = rows
            self._ready()

    @signed_in()
    async def end(self, caller: Caller, session_id: str) -> NextEvents:
        """End one of the others."""
        await caller.client.sessions.end_one(session_id)
        return [Sessions.load, toast("The session has ended.")]

    @signed_in()
    async def end_others(self, caller: Caller) -> NextEvents:
        """Sign out everywhere else."""
        await caller.client.sessions.end_others()
        return [Sessions.load, toast("You are signed out everywhere else.")]
