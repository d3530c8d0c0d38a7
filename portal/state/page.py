"""What every page's state has: whether it is loading, shows its content, or has failed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import reflex as rx

from backend_client import Unavailable
from portal.session import still_at

LOADING, READY, FAILED = "loading", "ready", "failed"


class PageState(rx.State, mixin=True):
    """``problem`` is a sentence for the person; shown in place of what could not be loaded, or
    above what was loaded before."""

    phase: str = LOADING
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

    async def _follow(self, look: Callable[[], Awaitable[None]], seconds: float) -> None:
        """Look again and again until the browser leaves the page; for a background handler.

        What can't be reached for a while is said above what was shown before, and taken back once
        it can be.
        """
        page = self.router.url.path
        while still_at(self, page):
            try:
                await look()
            except Unavailable as problem:
                async with self:
                    self._fail(str(problem))
            else:
                if self.problem:
                    async with self:
                        self.problem = ""
            await asyncio.sleep(seconds)
