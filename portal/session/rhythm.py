"""When a page that is open looks again."""

from __future__ import annotations

import asyncio
import time
from typing import Final, Literal

from portal.session.live import Feed

Presence = Literal["seen", "alone", "hidden"]
SEEN: Final = "seen"
PRESENCES: Final[tuple[Presence, ...]] = ("seen", "alone", "hidden")
"""Whether somebody sees the page: ``alone`` is one that was not touched for a minute."""

IDLE_SECONDS: Final = 90.0
"""How long a tab rests that nobody sees, or whose tenant's usage stays as it is."""
RETRY_SECONDS: Final = 2.0
"""After a look that failed."""
UNTOLD_SECONDS: Final = 5.0
"""Between looks while nothing can tell whether usage has changed."""
IDLE_SECONDS_A_REQUEST: Final = 200.0
"""An idle tab asks the API once a minute at most, with who is signed in."""
NOTICE_SECONDS: Final = 2.0
"""In how long it is noticed that the browser has left, or that somebody sees the page again."""


class Rhythm:
    """Looks ``seconds`` apart; with a ``feed`` only when that has turned since.

    The more requests the last look that asked has cost the API, the longer a tab that is idle
    rests.
    """

    def __init__(self, seconds: float, feed: Feed | None) -> None:
        self._seconds = seconds
        self._requests = 0
        self._feed = feed
        self._turn = -1
        self._began = float("-inf")
        self._failed = False
        self._wait_seconds = seconds
        self._awaited = 0

    def is_due(self, presence: Presence, looks: int = 1) -> bool:
        """Whether to look now.

        What is pushed goes on on a screen that nobody touches; what has to be asked for does not.
        Of so many ``looks`` that a tab has, each rests the longer while it is idle.
        """
        away = presence == "hidden" or (presence == "alone" and self._feed is None)
        turned = self._feed is not None and self._feed.turn != self._turn
        self._wait_seconds = self._seconds
        if away:
            idle_seconds = IDLE_SECONDS_A_REQUEST * self._requests * looks
            self._wait_seconds = max(IDLE_SECONDS, idle_seconds)
        elif self._failed:
            self._wait_seconds = RETRY_SECONDS
        elif turned:
            pass
        elif self._awaited:
            self._wait_seconds = min(self._seconds * 1.5**self._awaited, IDLE_SECONDS)
        elif self._feed is not None:
            has_version = self._feed.version is not None
            self._wait_seconds = IDLE_SECONDS if has_version else UNTOLD_SECONDS
        return time.monotonic() - self._began >= self._wait_seconds

    def begin(self) -> None:
        """Note that a look begins now.

        Raises:
            Unavailable: the API can't be reached, as is known already.
        """
        self._began, self._failed = time.monotonic(), False
        if self._feed is not None:
            self._turn = self._feed.turn
            if self._feed.problem is not None:
                raise self._feed.problem

    def end(self, *, again: bool, requests: int) -> None:
        """Note that the look has ended, and what it cost; ``again``: what is awaited is looked for
        soon.

        Each time later than the last, since it may never come.
        """
        # None, if another tab had asked already: the next look may have to ask again
        self._requests = requests or self._requests
        self._awaited = self._awaited + 1 if again else 0

    def fail(self) -> None:
        """Note that the look failed, or could not begin."""
        self._began, self._failed = time.monotonic(), True

    async def rest(self) -> None:
        """Wait until it may be due, or until the state of the browser has to be looked at."""
        if self._feed is not None and self._feed.turn == self._turn:
            await self._feed.turned(self._turn, NOTICE_SECONDS)
        else:
            left = self._began + self._wait_seconds - time.monotonic()
            await asyncio.sleep(min(max(left, 0.05), NOTICE_SECONDS))
