"""Usage events that a customer's own service sends, for journeys that look at them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from backend_client import AsyncFareboxClient
from backend_client.types.accounts import ApiKeyCreate, Scope
from backend_client.types.events import UsageData, UsageEvent
from tests.journey.conftest import Farebox, person_at
from tests.support.waiting import until

NO_LABELS: Mapping[str, str] = {}


class Service:
    """A service with a key, an application, and a source of its own; ``async with`` it."""

    def __init__(self, farebox: Farebox, source: str) -> None:
        self.farebox, self.source = farebox, source
        self.application = ""
        self.person: AsyncFareboxClient
        self._sender: AsyncFareboxClient
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Service:
        self.person = await self._stack.enter_async_context(person_at(self.farebox))
        self.application = (await self.person.applications.list().all())[0].id
        key = await self.person.keys.create(
            ApiKeyCreate(
                name=self.source, application_id=self.application, scopes=[Scope.EVENTS_WRITE]
            )
        )
        self._sender = await self._stack.enter_async_context(
            AsyncFareboxClient(self.farebox.api_url, key.secret)
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def send_too_late(self, *ids: str) -> None:
        """Send events that are too old to be taken."""
        data = UsageData(
            application=self.application, model="m", quantities={"requests": Decimal(1)}
        )
        time = datetime.now(UTC) - timedelta(days=900)
        verdict = await self._sender.events.send(
            [UsageEvent(id=id_, source=self.source, time=time, data=data) for id_ in ids]
        )
        assert verdict.rejected == len(ids)

    async def send(
        self,
        *ids: str,
        model: str = "smollm2-135m-instruct",
        labels: Mapping[str, str] = NO_LABELS,
        ago: timedelta = timedelta(0),
        apart: timedelta = timedelta(seconds=1),
        **quantities: int,
    ) -> None:
        """Send events, the first of them the newest; wait until they are counted."""
        now = datetime.now(UTC) - ago
        data = UsageData(
            application=self.application,
            model=model,
            quantities={meter: Decimal(n) for meter, n in (quantities or {"requests": 1}).items()},
            labels=dict(labels),
        )
        events = [
            UsageEvent(id=event_id, source=self.source, time=now - place * apart, data=data)
            for place, event_id in enumerate(ids)
        ]
        sent = await self._sender.events.send(events)
        assert sent.accepted == len(ids), sent
        await until(lambda: self.counted(ids))

    async def counted(self, ids: Sequence[str]) -> bool:
        """Whether events are counted."""
        asked = self.person.events.list(source=[self.source], event_id=ids)
        return len([event async for event in asked]) == len(ids)
