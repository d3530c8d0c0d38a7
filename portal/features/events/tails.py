"""The events of a tenant as they are counted: one connection a tenant, for all tabs that follow.

The API bounds how many connections a tenant may have, and each costs it and the portal something.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Hashable
from datetime import datetime

from backend_client import AsyncFareboxClient, ClientError, Unavailable
from backend_client.types.events import StoredEvent

_Item = StoredEvent | Unavailable | None
"""What a follower is told: an event, why there are no more, or that there are none for now."""


class Tail:
    """One connection, which goes on as long as somebody follows."""

    def __init__(self, client: AsyncFareboxClient, since: datetime) -> None:
        self.followers: list[asyncio.Queue[_Item]] = []
        self.ended = False
        self.reading = asyncio.create_task(self._read(client, since))

    async def _read(self, client: AsyncFareboxClient, since: datetime) -> None:
        last: Unavailable | None = None
        try:
            async with contextlib.aclosing(client.events.tail(since=since)) as events:
                async for event in events:
                    self._tell(event)
        except Unavailable as problem:
            last = problem
            raise
        finally:
            # What else ends it is about whose connection it is: others open their own
            self.ended = True
            self._tell(last)

    def _tell(self, item: _Item) -> None:
        for follower in self.followers:
            follower.put_nowait(item)


class Tails:
    """The connections of this process, by whose events they bring."""

    def __init__(self) -> None:
        self._tails: dict[Hashable, Tail] = {}

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
            ClientError: the API does not let this ``client`` follow, which opened it.
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
            if opens:
                await _raise_refusal(tail)
        finally:
            tail.followers.remove(queue)
            if not tail.followers:
                if self._tails.get(whose) is tail:
                    del self._tails[whose]
                tail.reading.cancel()
                await asyncio.gather(tail.reading, return_exceptions=True)


async def _raise_refusal(tail: Tail) -> None:
    """Raise what the API refused to whom opened the connection, if it did."""
    (outcome,) = await asyncio.gather(tail.reading, return_exceptions=True)
    if isinstance(outcome, ClientError):
        raise outcome


tails = Tails()
