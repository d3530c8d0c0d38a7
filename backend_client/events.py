"""The clients' methods for single events, their corrections and declared labels."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Unpack

import httpx

from backend_client.errors import error_of
from backend_client.requests import events as requests
from backend_client.requests.events import EventFilter
from backend_client.sending import AsyncSender, Sender
from backend_client.transport import event_data, unreachable
from backend_client.types.common import Page
from backend_client.types.corrections import (
    Correction,
    CorrectionBatch,
    CorrectionResult,
    EventsPreview,
)
from backend_client.types.events import DeclaredLabel, StoredEvent, UsageEvent


class EventMethods(Sender):
    """Those of the synchronous client."""

    def events(
        self, *, tenant: str | None = None, **asked: Unpack[EventFilter]
    ) -> Iterator[StoredEvent]:
        """Go through the tenant's events, newest first; pages are asked for as they are needed.

        ``tenant`` is another's id or slug; for the operator.
        """
        return self._items(requests.events(asked, tenant=tenant))

    def event_page(
        self,
        *,
        cursor: str | None = None,
        limit: int = 50,
        tenant: str | None = None,
        **asked: Unpack[EventFilter],
    ) -> Page[StoredEvent]:
        """One page of them, 200 at most; the first without a ``cursor``."""
        call = requests.events(asked, tenant=tenant, limit=limit)
        return self._do(call.page(cursor))

    def tail_events(
        self, *, since: datetime | None = None, seconds: int | None = None
    ) -> Generator[StoredEvent, None, None]:
        """Follow the tenant's events as they are counted, from ``since`` (receipt) or now on.

        Ends after a quarter of an hour, or ``seconds``: go on with ``since`` as the last event's
        ``received_at``, and expect the last ones twice. Raises ``Unavailable`` if it breaks off.
        """
        call = requests.tail(since, seconds)
        try:
            with self._http.stream(
                call.method, call.path, params=call.params, headers=call.headers
            ) as response:
                if not response.is_success:
                    response.read()
                    raise error_of(response)
                for line in response.iter_lines():
                    data = event_data(line)
                    if data is not None:
                        yield requests.tailed(data)
        except httpx.RequestError as error:
            raise unreachable(error) from error

    def preview_events(self, events: Sequence[UsageEvent | Mapping[str, Any]]) -> EventsPreview:
        """Tell what events would change if they were sent now; for the operator.

        A mapping goes as it is: the verdict says what is wrong with it.
        """
        return self._do(requests.preview_events(events))

    def correct(self, batch: CorrectionBatch, *, preview: bool = False) -> CorrectionResult:
        """Void or amend events, or tell what it would do; for the operator."""
        return self._do(requests.correct(batch, preview=preview))

    def corrections(
        self,
        *,
        source: str | None = None,
        event_id: str | None = None,
        tenant: str | None = None,
    ) -> Iterator[Correction]:
        """Go through the corrections of the tenant's events, newest first.

        ``tenant`` is another's id or slug; for the operator.
        """
        return self._items(requests.corrections(source=source, event_id=event_id, tenant=tenant))

    def correction_page(
        self,
        *,
        source: str | None = None,
        event_id: str | None = None,
        tenant: str | None = None,
        cursor: str | None = None,
        limit: int = 50,
    ) -> Page[Correction]:
        """One page of them, 200 at most; the first without a ``cursor``."""
        call = requests.corrections(source=source, event_id=event_id, tenant=tenant, limit=limit)
        return self._do(call.page(cursor))

    def labels(self) -> list[DeclaredLabel]:
        """The labels that usage can be grouped by."""
        return self._all(requests.labels())

    def declare_label(self, label: str, *, tenant: str | None = None) -> DeclaredLabel:
        """Tell a tenant's usage apart by a label from now on; for the operator."""
        return self._do(requests.declare_label(label, tenant))

    def withdraw_label(self, label: str, *, tenant: str | None = None) -> None:
        """Tell it apart by that label no longer; for the operator."""
        self._do(requests.withdraw_label(label, tenant))


class AsyncEventMethods(AsyncSender):
    """Those of the asynchronous client."""

    def events(
        self, *, tenant: str | None = None, **asked: Unpack[EventFilter]
    ) -> AsyncIterator[StoredEvent]:
        """Go through the tenant's events, newest first; pages are asked for as they are needed.

        ``tenant`` is another's id or slug; for the operator.
        """
        return self._items(requests.events(asked, tenant=tenant))

    async def event_page(
        self,
        *,
        cursor: str | None = None,
        limit: int = 50,
        tenant: str | None = None,
        **asked: Unpack[EventFilter],
    ) -> Page[StoredEvent]:
        """One page of them, 200 at most; the first without a ``cursor``."""
        call = requests.events(asked, tenant=tenant, limit=limit)
        return await self._do(call.page(cursor))

    async def tail_events(
        self, *, since: datetime | None = None, seconds: int | None = None
    ) -> AsyncGenerator[StoredEvent, None]:
        """Follow the tenant's events as they are counted, from ``since`` (receipt) or now on.

        Ends after a quarter of an hour, or ``seconds``: go on with ``since`` as the last event's
        ``received_at``, and expect the last ones twice. Raises ``Unavailable`` if it breaks off.
        """
        call = requests.tail(since, seconds)
        try:
            async with self._http.stream(
                call.method, call.path, params=call.params, headers=call.headers
            ) as response:
                if not response.is_success:
                    await response.aread()
                    raise error_of(response)
                async for line in response.aiter_lines():
                    data = event_data(line)
                    if data is not None:
                        yield requests.tailed(data)
        except httpx.RequestError as error:
            raise unreachable(error) from error

    async def preview_events(
        self, events: Sequence[UsageEvent | Mapping[str, Any]]
    ) -> EventsPreview:
        """Tell what events would change if they were sent now; for the operator.

        A mapping goes as it is: the verdict says what is wrong with it.
        """
        return await self._do(requests.preview_events(events))

    async def correct(self, batch: CorrectionBatch, *, preview: bool = False) -> CorrectionResult:
        """Void or amend events, or tell what it would do; for the operator."""
        return await self._do(requests.correct(batch, preview=preview))

    def corrections(
        self,
        *,
        source: str | None = None,
        event_id: str | None = None,
        tenant: str | None = None,
    ) -> AsyncIterator[Correction]:
        """Go through the corrections of the tenant's events, newest first.

        ``tenant`` is another's id or slug; for the operator.
        """
        return self._items(requests.corrections(source=source, event_id=event_id, tenant=tenant))

    async def correction_page(
        self,
        *,
        source: str | None = None,
        event_id: str | None = None,
        tenant: str | None = None,
        cursor: str | None = None,
        limit: int = 50,
    ) -> Page[Correction]:
        """One page of them, 200 at most; the first without a ``cursor``."""
        call = requests.corrections(source=source, event_id=event_id, tenant=tenant, limit=limit)
        return await self._do(call.page(cursor))

    async def labels(self) -> list[DeclaredLabel]:
        """The labels that usage can be grouped by."""
        return await self._all(requests.labels())

    async def declare_label(self, label: str, *, tenant: str | None = None) -> DeclaredLabel:
        """Tell a tenant's usage apart by a label from now on; for the operator."""
        return await self._do(requests.declare_label(label, tenant))

    async def withdraw_label(self, label: str, *, tenant: str | None = None) -> None:
        """Tell it apart by that label no longer; for the operator."""
        await self._do(requests.withdraw_label(label, tenant))
