"""A tenant's events as they are counted, for live display."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta

from backend.metering.errors import TooManyTails
from backend.metering.queries.event_list import newest_events
from backend.metering.queries.usage import usage_version
from backend.storage.database import Database
from backend_client.types.events import StoredEvent

_POLL_SECONDS = 0.5
_MOST_AT_ONCE = 200
_MOST_SHOWN = 10 * _MOST_AT_ONCE
_LATE = timedelta(seconds=15)
"""How much later than events received after it an event may be counted and still be shown."""
MOST_SECONDS = 900
"""A tail ends after a quarter of an hour; a browser reconnects automatically."""
_MOST_TAILS = 100


class Tails:
    """The tails that this process serves, at most 100 at once."""

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
        """Yield what was counted since the last poll; an empty list if nothing was.

        Of more than 200 events between two polls the newest are shown. ``still_allowed`` is called
        before each poll, and ends the tail by raising. Raises ``RateLimited`` if too many tails are
        open.
        """
        if self._open >= _MOST_TAILS:
            raise TooManyTails("Too many tails are open here.", retry_after_seconds=5)
        self._open += 1
        try:
            until = time.monotonic() + seconds
            async for events in self._polls(tenant_id, since, still_allowed):
                yield events
                if time.monotonic() + _POLL_SECONDS > until:
                    return
                await asyncio.sleep(_POLL_SECONDS)
        finally:
            self._open -= 1

    async def _polls(
        self, tenant_id: str, since: datetime | None, still_allowed: Callable[[], Awaitable[None]]
    ) -> AsyncIterator[list[StoredEvent]]:
        begin = since or datetime.now(UTC)
        shown: deque[tuple[str, str, str]] = deque(maxlen=_MOST_SHOWN)
        version = -1
        while True:
            await still_allowed()
            async with self._database.snapshot() as connection:
                now, _newest = await usage_version(connection, tenant_id)
                events: list[StoredEvent] = []
                if now != version:
                    events = await newest_events(connection, tenant_id, begin, _MOST_AT_ONCE)
            version = now
            if events:
                begin = max(begin, events[-1].received_at - _LATE)
            new = [event for event in events if (event.sender, event.source, event.id) not in shown]
            shown.extend((event.sender, event.source, event.id) for event in new)
            yield new
