"""Usage events and their corrections."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from datetime import date, datetime
from typing import Any, Unpack

from backend_client._async.pager import AsyncPager
from backend_client._async.resources.resource import AsyncResource
from backend_client.calls import Call, correction, event_batch, get, nothing, path
from backend_client.queries import event_query, query
from backend_client.streams import event_data, stored_event_of
from backend_client.types.common import Page
from backend_client.types.corrections import (
    Correction,
    CorrectionBatch,
    CorrectionResult,
    EventsPreview,
)
from backend_client.types.events import EventFilter, IngestResult, StoredEvent, UsageEvent
from backend_client.types.refused_events import RefusedEvents


class AsyncEventsResource(AsyncResource):
    """Usage events: CloudEvents of what was used."""

    async def send(self, events: Sequence[UsageEvent]) -> IngestResult:
        """Send up to 10,000 events. An event counts once, however often it is sent."""
        return await self._sender.send(event_batch(path("events"), events, IngestResult))

    async def preview(self, events: Sequence[UsageEvent | Mapping[str, Any]]) -> EventsPreview:
        """Say what events would change if they were sent now; for the operator.

        A mapping goes as it is: the verdict says what is wrong with it.
        """
        call = event_batch(path("events", "preview"), events, EventsPreview)
        return await self._sender.send(call)

    def list(
        self,
        *,
        tenant: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
        **events: Unpack[EventFilter],
    ) -> AsyncPager[StoredEvent]:
        """List the tenant's events, newest first by their time of use.

        ``tenant`` is another's id or slug; for the operator.
        """
        params = event_query(events, limit=limit, cursor=cursor)
        return AsyncPager(
            self._sender, get(path("events", tenant=tenant), Page[StoredEvent], params)
        )

    def refused(
        self,
        *,
        day: date | None = None,
        tenant: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> AsyncPager[RefusedEvents]:
        """List the tenant's events that were refused, by day (UTC) and reason, newest day first.

        Some seconds after they were sent. ``tenant`` is another's id or slug; for the operator.
        """
        at = path("refused-events", tenant=tenant)
        params = query(day=day, limit=limit, cursor=cursor)
        return AsyncPager(self._sender, get(at, Page[RefusedEvents], params))

    async def tail(
        self, *, since: datetime | None = None, seconds: int | None = None
    ) -> AsyncGenerator[StoredEvent, None]:
        """Follow the tenant's events as they are counted, from ``since`` (receipt) or now on.

        Ends after a quarter of an hour, or ``seconds``: go on with ``since`` as the last event's
        ``received_at``, and expect the last ones twice. Raises ``Unavailable`` if it breaks off.
        """
        headers = {"accept": "text/event-stream"}
        if since is not None:
            headers["last-event-id"] = since.isoformat()
        call = Call("GET", path("events", "tail"), nothing, query(seconds=seconds), headers)
        async with self._sender.stream(call, self._sender.profile.timeout) as response:
            async for line in response.aiter_lines():
                data = event_data(line)
                if data is not None:
                    yield stored_event_of(data, response)


class AsyncCorrectionsResource(AsyncResource):
    """Corrections that void or amend events."""

    def list(
        self,
        *,
        source: str | None = None,
        event_id: str | None = None,
        tenant: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> AsyncPager[Correction]:
        """List the corrections of the tenant's events, newest first.

        ``tenant`` is another's id or slug; for the operator.
        """
        at = path("corrections", tenant=tenant)
        params = query(source=source, event=event_id, limit=limit, cursor=cursor)
        return AsyncPager(self._sender, get(at, Page[Correction], params))

    async def create(self, corrections: CorrectionBatch) -> CorrectionResult:
        """Void or amend events; for the operator."""
        return await self._sender.send(correction(corrections, preview=False))

    async def preview(self, corrections: CorrectionBatch) -> CorrectionResult:
        """Say what corrections would change, and change nothing; for the operator."""
        return await self._sender.send(correction(corrections, preview=True))
