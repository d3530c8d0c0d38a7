"""A tenant's events as they are counted, for someone who watches."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta

from backend.errors import RateLimited
from backend.metering.queries.event_list import newest_events
from backend.metering.queries.usage import usage_version
from backend.storage.database import Database
from backend_client.types.events import StoredEvent

_LOOK_SECONDS = 0.5
_MOST_AT_ONCE = 200
_MOST_REMEMBERED = 10 * _MOST_AT_ONCE
_LATE = timedelta(seconds=15)
"""How much later than those that came in after it an event may be counted, and still be shown."""
MOST_SECONDS = 900
"""A tail ends after a quarter of an hour; a browser connects again by itself."""
_MOST_TAILS = 100


class Tails:
    """The tails that this process serves: a bounded number of them."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._open = 0

    async def follow(
        self,
        tenant_id: str,
        since: datetime | None,
        still_allowed: Callable[[], Awaitable[None]],
        *,
        seconds: float = MOST_SECONDS,
    ) -> AsyncIterator[list[StoredEvent]]:
        """Yield what was counted since the last look; an empty list where nothing was.

        Of more than 200 events between two looks the newest are shown. ``still_allowed`` is asked
        before each look, and ends the tail by raising. Raises ``RateLimited`` if there are too
        many tails already.
        """
        if self._open >= _MOST_TAILS:
            raise RateLimited("Too many tails are open here.", retry_after_seconds=5)
        self._open += 1
        try:
            until = time.monotonic() + seconds
            async for found in self._looks(tenant_id, since, still_allowed):
                yield found
                if time.monotonic() + _LOOK_SECONDS > until:
                    return
                await asyncio.sleep(_LOOK_SECONDS)
        finally:
            self._open -= 1

    async def _looks(
        self, tenant_id: str, since: datetime | None, still_allowed: Callable[[], Awaitable[None]]
    ) -> AsyncIterator[list[StoredEvent]]:
        begin = since or datetime.now(UTC)
        shown: deque[tuple[str, str]] = deque(maxlen=_MOST_REMEMBERED)
        version = -1
        while True:
            await still_allowed()
            async with self._database.snapshot() as connection:
                now, _newest = await usage_version(connection, tenant_id)
                found: list[StoredEvent] = []
                if now != version:
                    found = await newest_events(connection, tenant_id, begin, _MOST_AT_ONCE)
            version = now
            if found:
                begin = max(begin, found[-1].received_at - _LATE)
            new = [event for event in found if (event.source, event.id) not in shown]
            shown.extend((event.source, event.id) for event in new)
            yield new
