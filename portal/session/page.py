"""What every page's state has: whether it is loading, shows its content, or has failed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, Literal

import reflex as rx

from backend_client import Unavailable
from portal.session.guard import Caller, callers, session_token
from portal.session.tabs import page_load, still_at

Phase = Literal["loading", "ready", "failed"]
LOADING: Final = "loading"
READY: Final = "ready"
FAILED: Final = "failed"


class PageState(rx.State, mixin=True):
    """``problem`` is a sentence for the person; shown in place of what could not be loaded, or
    above what was loaded before."""

    phase: Phase = LOADING
    problem: str = ""

    def _fail(self, why: str) -> None:
        """Show ``why``; keep what is on the page already."""
        self.problem = why
        if self.phase == LOADING:
            self.phase = FAILED

    def _ready(self) -> None:
        """Show the page's content."""
        self.problem = ""
        self.phase = READY

    async def _follow(
        self, caller: Caller, look: Callable[[], Awaitable[None]], seconds: float
    ) -> Sequence[Any]:
        """Look again and again until the browser leaves the page; for a background handler.

        What can't be reached for a while is said above what was shown before, and taken back once
        it can be. Returns the events that reload the page when the session has moved to
        another tenant in the meantime.

        Raises:
            Unauthenticated: the session has ended.
        """
        page = self.router.url.path
        while still_at(self, page):
            try:
                now = await callers.find(session_token(self))
                if (now.me.user_id, now.me.tenant.id) != (caller.me.user_id, caller.me.tenant.id):
                    return page_load(self)
                await look()
            except Unavailable as problem:
                async with self:
                    self._fail(str(problem))
            else:
                if self.problem:
                    async with self:
                        self.problem = ""
            await asyncio.sleep(seconds)
        return ()
