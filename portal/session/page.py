"""What every page's state has: whether it is loading, shows its content, or has failed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar, Final, Literal

import reflex as rx

from backend_client import Unavailable
from backend_client.responses import recording
from portal.session.guard import FRESH_SECONDS, Caller, callers, owner, session_token
from portal.session.live import Feed, feeds
from portal.session.rhythm import IDLE_SECONDS, SEEN, Rhythm
from portal.session.tabs import page_load, still_at

Phase = Literal["loading", "ready", "failed"]
LOADING: Final = "loading"
READY: Final = "ready"
FAILED: Final = "failed"


Look = Callable[[], Awaitable[bool | None]]
"""Asks for what a page shows and shows it; true if something is to come that is awaited."""


_looks: Counter[str] = Counter()
"""How many looks each tab goes on with: a page may have several parts that follow."""


@contextmanager
def _looking_on(tab: str) -> Iterator[None]:
    _looks[tab] += 1
    try:
        yield
    finally:
        _looks[tab] -= 1
        if not _looks[tab]:
            del _looks[tab]


class PageState(rx.State, mixin=True):
    """``problem`` is a sentence for the person; shown in place of what could not be loaded, or
    above what was loaded before. ``stays`` says that the page's state is kept when it is left."""

    stays: ClassVar[bool] = False
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

    async def _follow_usage(self, caller: Caller, look: Look, seconds: float) -> Sequence[Any]:
        """Look whenever the tenant's usage has changed, ``seconds`` apart at least, as ``_follow``.

        Whether it has is one question to the API for all tabs that follow the tenant.
        """
        async with feeds.follow(caller) as feed:
            return await self._look_on(caller, look, seconds, feed)

    async def _follow(self, caller: Caller, look: Look, seconds: float) -> Sequence[Any]:
        """Look again and again until the browser leaves the page; for a background handler.

        A tab that nobody sees or uses looks so seldom that all of its looks together cost the API
        less than a request a minute. What can't be reached for a while is said above what was
        shown before, and taken back once it can be. Returns the events that reload the page when
        the session has moved to another tenant in the meantime.

        Raises:
            Unauthenticated: the session has ended.
        """
        return await self._look_on(caller, look, seconds, None)

    async def _look_on(
        self,
        caller: Caller,
        look: Look,
        seconds: float,
        feed: Feed | None,
    ) -> Sequence[Any]:
        page, tab = self.router.url.path, self.router.session.client_token
        rhythm = Rhythm(seconds, feed)
        with _looking_on(tab):
            return await self._look_while_there(caller, look, rhythm, page, tab)

    async def _look_while_there(
        self, caller: Caller, look: Look, rhythm: Rhythm, page: str, tab: str
    ) -> Sequence[Any]:
        while still_at(self, page):
            # Not a member of this class: the states that inherit it have it from the session
            due = rhythm.is_due(getattr(self, "_presence", SEEN), _looks[tab])
            try:
                now = await callers.find(
                    session_token(self), fresh_seconds=FRESH_SECONDS if due else IDLE_SECONDS
                )
                if owner(now.me) != owner(caller.me):
                    return page_load(self)
                if due:
                    rhythm.begin()
                    with recording() as answers:
                        again = await look()
                    rhythm.end(again=bool(again), requests=len(answers))
            except Unavailable as problem:
                rhythm.fail()
                async with self:
                    self._fail(str(problem))
            else:
                if due and self.problem:
                    async with self:
                        self.problem = ""
            await rhythm.rest()
        return ()
