"""Whether a tenant's usage has changed: one question a tenant, pushed to all its tabs.

Each process has one connection to the API for each tenant that a tab follows, whatever their
number. The API says there when usage has changed; the tabs then ask what they show.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable
from typing import Final, TypeVar

from backend_client import ClientError, Unavailable
from backend_client.types.usage import UsageVersion
from portal.session.guard import Caller
from portal.session.shared import answers

T = TypeVar("T")
log = logging.getLogger(__name__)

RESTART_SECONDS: Final = 1.0
"""How long after a connection has ended another is opened."""


class Feed:
    """A tenant's connection. ``latest`` is None until it is known, and while it can't be.

    ``turn`` grows with each change of the version and of ``problem``.
    """

    def __init__(self) -> None:
        self.latest: UsageVersion | None = None
        self.problem: Unavailable | None = None
        self.turn = 0
        self.followers: list[Caller] = []
        self._turned = asyncio.Condition()
        self._reading: asyncio.Task[None] | None = None

    @property
    def version(self) -> int | None:
        """The usage's version, as far as it is known."""
        return None if self.latest is None else self.latest.version

    async def turned(self, turn: int, seconds: float) -> None:
        """Wait until there has been another ``turn``, or for some seconds."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds), self._turned:
                await self._turned.wait_for(lambda: self.turn != turn)

    def start(self) -> None:
        """Read in a task of its own, until nobody follows any more."""
        self._reading = asyncio.create_task(self._read())

    async def stop(self) -> None:
        """Close the connection."""
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)

    async def _read(self) -> None:
        while True:
            # Another each time: the session of the first may have ended
            caller = self.followers[0]
            self.followers.append(self.followers.pop(0))
            try:
                async with contextlib.aclosing(caller.client.usage.changes()) as versions:
                    async for now in versions:
                        await self._turn(now, None)
            except Unavailable as problem:
                await self._turn(None, problem)
            except ClientError as problem:
                # Of this session, such as its end; its tab finds that out by itself
                log.info("Usage is not followed: %s", problem)
                await self._turn(None, None)
            await asyncio.sleep(RESTART_SECONDS)

    async def _turn(self, latest: UsageVersion | None, problem: Unavailable | None) -> None:
        if (latest, problem) == (self.latest, self.problem):
            return
        self.latest, self.problem = latest, problem
        self.turn += 1
        async with self._turned:
            self._turned.notify_all()


class Feeds:
    """The tenants that are followed in this process."""

    def __init__(self) -> None:
        self._feeds: dict[str, Feed] = {}

    @contextlib.asynccontextmanager
    async def follow(self, caller: Caller) -> AsyncIterator[Feed]:
        """Lend the feed of the caller's tenant for as long as the block lasts."""
        tenant_id = caller.me.tenant.id
        feed = self._feeds.get(tenant_id)
        if feed is None:
            feed = self._feeds[tenant_id] = Feed()
        feed.followers.append(caller)
        if len(feed.followers) == 1:
            feed.start()
        try:
            yield feed
        finally:
            feed.followers.remove(caller)
            if not feed.followers:
                del self._feeds[tenant_id]
                await feed.stop()

    def latest(self, caller: Caller) -> UsageVersion | None:
        """How far the caller's usage has changed, if it is followed and known just now."""
        feed = self._feeds.get(caller.me.tenant.id)
        return feed.latest if feed is not None else None

    def version(self, caller: Caller) -> int | None:
        """The version of the caller's usage, if it is followed and known just now."""
        latest = self.latest(caller)
        return latest.version if latest is not None else None


feeds = Feeds()


async def shared(
    caller: Caller,
    what: Hashable,
    ask: Callable[[], Awaitable[T]],
    *,
    fresh_seconds: float,
    of_usage: bool = True,
) -> T:
    """The answer to ``what`` for all tabs of the caller's tenant and role.

    It is asked for anew after ``fresh_seconds``; and for each version of the tenant's usage, if it
    is ``of_usage``.
    """
    version = feeds.version(caller) if of_usage else None
    if of_usage and version is None:
        fresh_seconds = min(fresh_seconds, RESTART_SECONDS)
    return await answers.get((caller.sees, version, what), ask, fresh_seconds=fresh_seconds)


async def polled(
    caller: Caller, what: Hashable, ask: Callable[[], Awaitable[T]], every_seconds: float
) -> T:
    """The answer to ``what`` as a tab of this tenant and role got it since all last looked."""
    fresh = every_seconds / 2
    return await shared(caller, what, ask, fresh_seconds=fresh, of_usage=False)
