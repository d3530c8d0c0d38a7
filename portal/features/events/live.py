"""A tenant's events as they are counted, for a page that shows them while it is open."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

from backend_client import RateLimited, Unavailable
from backend_client.types.events import StoredEvent
from portal.features.events.tails import tails
from portal.session.guard import Caller

RESTART_SECONDS = 2.0
"""How long after it broke off it is opened again, and for how long it has to hold to be whole."""
MOST_REMEMBERED = 2000
MOST_WAITING = 1000
"""Events that wait for a page's next look: more than it can show. Older ones are dropped."""
_LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


class LiveEvents:
    """Follows the tail in a task of its own, and opens it again where it ended.

    All callers who may see the same share a connection. Leave it to close that.
    ``has_gap`` says that events may have been missed: what is shown has to be loaded again, and
    the loader sets it back to false.
    """

    def __init__(self, caller: Caller) -> None:
        self.has_gap = True
        self._client, self._whose = caller.client, caller.sees
        self._since = _LONG_AGO
        self._new: deque[StoredEvent] = deque(maxlen=MOST_WAITING)
        self._seen: deque[tuple[str, str]] = deque(maxlen=MOST_REMEMBERED)
        self._failure: Unavailable | None = None
        self._opened = 0.0
        self._reading: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)

    @property
    def started(self) -> bool:
        """Whether it follows already."""
        return self._reading is not None

    def start(self, newest: datetime | None) -> None:
        """Follow what is received from the receipt of the ``newest`` event on.

        By the API's clock, so that nothing falls between what was loaded and what is followed.
        """
        self._since = newest or _LONG_AGO
        self._open()

    def take(self) -> list[StoredEvent]:
        """What came in since the last look, each event once, in the order of receipt.

        Raises:
            Unavailable: it broke off, and is not back yet.
            ClientError: the API does not let the caller follow.
            Exception: it ended as nobody foresaw.
        """
        if time.monotonic() - self._opened >= RESTART_SECONDS:
            self._failure = None
            if self._reading is not None and self._reading.done():
                self._note_the_end(self._reading)
                self._open()
        if self._failure is not None:
            raise self._failure
        events = list(self._new)
        self._new.clear()
        return events

    def _note_the_end(self, reading: asyncio.Task[None]) -> None:
        try:
            reading.result()
        except RateLimited as problem:
            self._failure = Unavailable(
                str(problem), response=problem.response, problem=problem.problem
            )
        except Unavailable as problem:
            self._failure = problem
        if self._failure is not None:
            self.has_gap = True

    def _open(self) -> None:
        self._opened = time.monotonic()
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        # Those that follow already may have been told of something since this one last was
        self.has_gap = self.has_gap or tails.follows(self._whose)
        tail = tails.events(self._whose, self._client, self._since)
        async with contextlib.aclosing(tail) as events:
            async for event in events:
                self._since = max(self._since, event.received_at)
                # A tail that is opened again tells the last ones twice
                if (event.source, event.id) not in self._seen:
                    self._seen.append((event.source, event.id))
                    self._new.append(event)
