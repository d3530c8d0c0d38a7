"""A sender as an operator's service is one: it repeats a batch until it is acknowledged."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from typing import Any

import httpx

from tests.support.waiting import until

Event = dict[str, Any]


class RetryingSender:
    """Sends batches over several connections, and knows what was acknowledged."""

    def __init__(self, url: str, credential: str) -> None:
        self._http = httpx.AsyncClient(
            base_url=url, headers={"authorization": f"Bearer {credential}"}, timeout=60
        )
        self.acknowledged: list[Event] = []
        self.attempts = 0
        self.repeated = 0
        self._news = asyncio.Condition()

    async def send(self, batches: Sequence[list[Event]], *, lanes: int = 4) -> None:
        """Send every batch until it is acknowledged; each fifth once more, as senders do."""
        waiting = list(reversed(batches))

        async def lane() -> None:
            while waiting:
                batch = waiting.pop()
                await self._until_acknowledged(batch)
                if len(waiting) % 5 == 0:
                    await self._until_acknowledged(batch)
                async with self._news:
                    self.acknowledged += batch
                    self._news.notify_all()

        async with asyncio.TaskGroup() as group:
            for _ in range(lanes):
                group.create_task(lane())

    async def repeat(self, chance: random.Random, size: int, count: int) -> None:
        """Send ``count`` acknowledged events again, in other batches of ``size`` and in any order.

        Never more than were acknowledged so far: it would only hold up what is not sent yet.
        """
        while self.repeated < count:
            async with self._news:
                await self._news.wait_for(lambda: len(self.acknowledged) > self.repeated)
            batch = chance.choices(self.acknowledged, k=size)  # some twice in one batch
            await self._until_acknowledged(batch)
            self.repeated += size

    async def verdict(self, batch: list[Event]) -> dict[str, Any]:
        """Send a batch once; return what is said of it."""
        answer = await self._http.post("/v1/events", json=batch)
        assert answer.status_code == 202, answer.text
        verdict: dict[str, Any] = answer.json()
        return verdict

    async def has_sent(self, count: int) -> None:
        """Return once ``count`` events were acknowledged."""
        async with self._news:
            await self._news.wait_for(lambda: len(self.acknowledged) >= count)

    async def correct(self, tenant: str, correction: dict[str, Any]) -> None:
        """Send a correction until it is made."""
        body = {"tenant": tenant, "corrections": [correction]}

        async def made() -> bool:
            try:
                answer = await self._http.post("/v1/corrections", json=body)
            except httpx.TransportError:
                return False
            assert answer.status_code in {200, 503}, answer.text
            return answer.status_code == 200

        await until(made, seconds=240)

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def _until_acknowledged(self, batch: list[Event]) -> None:
        async def acknowledged() -> bool:
            self.attempts += 1
            try:
                answer = await self._http.post("/v1/events", json=batch)
            except httpx.TransportError:
                return False  # whether it was stored is not known: it is sent again
            if answer.status_code != 202:
                assert answer.status_code in {429, 503}, answer.text
                return False
            verdict = answer.json()
            assert verdict["rejected"] == 0, answer.text
            assert verdict["accepted"] + verdict["duplicates"] == len(batch), answer.text
            return True

        await until(acknowledged, seconds=240)
