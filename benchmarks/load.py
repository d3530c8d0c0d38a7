"""Load on the API: batches of events made beforehand, sent over a few connections."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import httpx

SOURCE = "benchmark"


@dataclass
class Batch:
    """A body to send, and the identity of its last event, to look for afterwards."""

    body: bytes
    size: int
    last: tuple[str, str, str]
    sent_at: float = 0.0
    acknowledged: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass
class Sent:
    """What was sent, and how long it took until the last acknowledgement."""

    events: int
    seconds: float

    @property
    def rate(self) -> float:
        return self.events / self.seconds


def make_batches(
    tenants: Sequence[tuple[str, str]], name: str, count: int, size: int
) -> list[Batch]:
    """``count`` bodies of ``size`` events each, over all tenants, of the last minutes."""
    now = datetime.now(UTC)
    batches = []
    for batch in range(count):
        members = []
        for place in range(size):
            number = batch * size + place
            tenant, application = tenants[number % len(tenants)]
            members.append(
                {
                    "specversion": "1.0",
                    "id": f"{name}-{number:012d}",
                    "source": SOURCE,
                    "type": "ai.usage",
                    "subject": tenant,
                    "time": (now - timedelta(milliseconds=number % 600_000)).isoformat(),
                    "data": {
                        "application": application,
                        "model": f"model-{number % 3}",
                        "quantities": {
                            "requests": 1,
                            "input_tokens": number % 4000,
                            "output_tokens": 250,
                        },
                    },
                }
            )
        last = members[-1]
        batches.append(Batch(json.dumps(members).encode(), size, (tenant, SOURCE, str(last["id"]))))
    return batches


async def send(
    url: str,
    credential: str,
    batches: Sequence[Batch],
    *,
    connections: int = 4,
    events_per_second: float | None = None,
) -> Sent:
    """Send every batch once, as fast as it goes or at a given pace; all must be acknowledged."""
    waiting = iter(batches)
    loop = asyncio.get_running_loop()
    began = loop.time()
    due = 0.0

    async def lane(client: httpx.AsyncClient) -> None:
        nonlocal due
        for batch in waiting:
            if events_per_second is not None:
                due += batch.size / events_per_second
                ahead = began + due - loop.time()
                if ahead > 0:
                    await asyncio.sleep(ahead)  # the pace itself
            batch.sent_at = time.time()
            while True:
                answer = await client.post("/v1/events", content=batch.body)
                if answer.status_code == 202:
                    break
                if answer.status_code != 429:
                    raise RuntimeError(f"{answer.status_code}: {answer.text}")
                await asyncio.sleep(float(answer.headers["retry-after"]))
            batch.acknowledged.set()

    headers = {"authorization": f"Bearer {credential}", "content-type": "application/json"}
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=60) as client:
        await asyncio.gather(*(lane(client) for _ in range(connections)))
    return Sent(sum(batch.size for batch in batches), loop.time() - began)
