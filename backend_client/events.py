"""The clients' methods for single events, their corrections and declared labels."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from datetime import datetime

from backend_client.requests import events as requests
from backend_client.sending import AsyncSender, Sender
from backend_client.types.corrections import Correction, CorrectionBatch, CorrectionResult
from backend_client.types.events import DeclaredLabel, StoredEvent

_NONE: Mapping[str, str] = {}


class EventMethods(Sender):
    """Those of the synchronous client."""

    def events(
        self,
        *,
        start: datetime | None = None,
        end: datetime | None = None,
        source: Sequence[str] = (),
        event_id: Sequence[str] = (),
        application: Sequence[str] = (),
        key: Sequence[str] = (),
        model: Sequence[str] = (),
        meter: Sequence[str] = (),
        labels: Mapping[str, str] = _NONE,
    ) -> Iterator[StoredEvent]:
        """Go through the tenant's events, newest first; pages are asked for as they are needed."""
        call = requests.events(
            start=start,
            end=end,
            source=source,
            event_id=event_id,
            application=application,
            key=key,
            model=model,
            meter=meter,
            labels=labels,
        )
        return self._items(call)

    def correct(self, batch: CorrectionBatch, *, preview: bool = False) -> CorrectionResult:
        """Void or amend events, or tell what it would do; for the operator."""
        return self._do(requests.correct(batch, preview=preview))

    def corrections(
        self, *, source: str | None = None, event_id: str | None = None
    ) -> Iterator[Correction]:
        """Go through the corrections of the tenant's events, newest first."""
        return self._items(requests.corrections(source=source, event_id=event_id))

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
        self,
        *,
        start: datetime | None = None,
        end: datetime | None = None,
        source: Sequence[str] = (),
        event_id: Sequence[str] = (),
        application: Sequence[str] = (),
        key: Sequence[str] = (),
        model: Sequence[str] = (),
        meter: Sequence[str] = (),
        labels: Mapping[str, str] = _NONE,
    ) -> AsyncIterator[StoredEvent]:
        """Go through the tenant's events, newest first; pages are asked for as they are needed."""
        call = requests.events(
            start=start,
            end=end,
            source=source,
            event_id=event_id,
            application=application,
            key=key,
            model=model,
            meter=meter,
            labels=labels,
        )
        return self._items(call)

    async def correct(self, batch: CorrectionBatch, *, preview: bool = False) -> CorrectionResult:
        """Void or amend events, or tell what it would do; for the operator."""
        return await self._do(requests.correct(batch, preview=preview))

    def corrections(
        self, *, source: str | None = None, event_id: str | None = None
    ) -> AsyncIterator[Correction]:
        """Go through the corrections of the tenant's events, newest first."""
        return self._items(requests.corrections(source=source, event_id=event_id))

    async def labels(self) -> list[DeclaredLabel]:
        """The labels that usage can be grouped by."""
        return await self._all(requests.labels())

    async def declare_label(self, label: str, *, tenant: str | None = None) -> DeclaredLabel:
        """Tell a tenant's usage apart by a label from now on; for the operator."""
        return await self._do(requests.declare_label(label, tenant))

    async def withdraw_label(self, label: str, *, tenant: str | None = None) -> None:
        """Tell it apart by that label no longer; for the operator."""
        await self._do(requests.withdraw_label(label, tenant))
