"""The events of a tenant as they are counted: one connection for all tabs that may see the same.

Each process of the API has a bounded number of them, and each costs it and the portal something.

``portal.session.live`` shares a connection too, but hands on the latest that it was told: who waits
for it may miss what came between. Here each event goes to each tab, from the tab's own time on.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Hashable
from datetime import datetime

from backend_client import ApiError, AsyncFareboxClient, RateLimited
from backend_client.types.events import StoredEvent

_Item = StoredEvent | BaseException | None
"""What a follower is told: an event, why there are no more, or that there are none for now."""


class Tail:
    """One connection, which goes on as long as somebody follows.

    ``refusal`` is what the API has against the session of whom opened it.
    """

    def __init__(self, client: AsyncFareboxClient, since: datetime) -> None:
        self.followers: list[asyncio.Queue[_Item]] = []
        self.ended = False
        self.refusal: ApiError | None = None
        self.reading = asyncio.create_task(self._read(client, since))
        self.reading.add_done_callback(self._end)

    async def _read(self, client: AsyncFareboxClient, since: datetime) -> None:
        async with contextlib.aclosing(client.events.tail(since=since)) as events:
            async for event in events:
                self._tell(event)

    def _end(self, reading: asyncio.Task[None]) -> None:
        self.ended = True
        problem = None if reading.cancelled() else reading.exception()
        if isinstance(problem, ApiError) and not isinstance(problem, RateLimited):
            # Of this session, such as its end: others open their own
            self.refusal, problem = problem, None
        # Also what nobody foresaw: each follower raises it, and says so
        self._tell(problem)

    def _tell(self, item: _Item) -> None:
        for follower in self.followers:
            follower.put_nowait(item)


class Tails:
    """The connections of this process, by whose events they bring."""

    def __init__(self) -> None:
        self._tails: dict[Hashable, Tail] = {}

    def __len__(self) -> int:
        return len(self._tails)

    def follows(self, whose: Hashable) -> bool:
        """Whether there is a connection already: who joins it may have missed something."""
        tail = self._tails.get(whose)
        return tail is not None and not tail.ended

    async def events(
        self, whose: Hashable, client: AsyncFareboxClient, since: datetime
    ) -> AsyncGenerator[StoredEvent, None]:
        """The events of ``whose``: from ``since`` on, or from now on where others follow already.

        Raises:
            Unavailable: the connection broke off.
            RateLimited: the API has too many.
            ApiError: the API does not let this ``client`` follow, which opened it.
            Exception: the connection ended as nobody foresaw.
        """
        opens = not self.follows(whose)
        if opens:
            self._tails[whose] = Tail(client, since)
        tail, queue = self._tails[whose], asyncio.Queue[_Item]()
        tail.followers.append(queue)
        try:
            while isinstance(item := await queue.get(), StoredEvent):
                yield item
            if item is not None:
                raise item
            if opens and tail.refusal is not None:
                raise tail.refusal
        finally:
            tail.followers.remove(queue)
            if not tail.followers:
                if self._tails.get(whose) is tail:
                    del self._tails[whose]
                tail.reading.cancel()
                await asyncio.gather(tail.reading, return_exceptions=True)


tails = Tails()
