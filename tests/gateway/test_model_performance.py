"""How fast and how reliably models answer is measured at the gateway, and told without counts."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from openai import APIError, AsyncOpenAI
from sqlalchemy import func, insert, select

from backend.gateway.latencies import BUCKETS
from backend.gateway.measures.measures import KEPT, Measures
from backend.gateway.measures.performance import model_performance
from backend.storage.database import Database
from backend.storage.tables import model_hours
from tests.gateway.chat_answers import ASKED, DONE, USAGE, said, streamed, whole
from tests.support.flaky import FlakyServer, Reply
from tests.support.waiting import until

pytestmark = pytest.mark.engine


async def test_calls_are_measured_but_for_what_their_callers_did(
    api: httpx.AsyncClient,
    session: dict[str, str],
    client: AsyncOpenAI,
    provider: FlakyServer,
) -> None:
    answer = streamed(said("Hello"), said(" there", "stop", usage=USAGE), DONE)
    provider.replies = [
        answer,
        answer,
        answer,
        Reply(body=whole(usage=USAGE)),
        Reply(status=500),
        # The caller's own fault
        Reply(status=400, body=b'{"error": {"message": "No."}}'),
    ]
    for _ in range(3):
        stream = await client.chat.completions.create(
            model="sample-small", messages=ASKED, stream=True
        )
        async for _chunk in stream:
            pass
    for _ in range(3):
        with suppress(APIError):
            await client.chat.completions.create(model="sample-small", messages=ASKED)

    async def measured() -> list[dict[str, object]]:
        answered = await api.get("/v1/catalog/models/performance", headers=session)
        assert answered.status_code == 200, answered.text
        return list(answered.json()["items"])

    async def is_added() -> bool:
        return bool(await measured())

    await until(is_added, seconds=60)
    (performance,) = await measured()
    assert performance["model"] == "sample-small"
    assert performance["error_rate"] == 0.2
    for name in ("total", "first_token"):
        latency = performance[name]
        assert isinstance(latency, dict)
        assert 0 < latency["p50"] <= latency["p95"]
    assert "answered" not in performance


async def test_counts_of_several_processes_add_up_and_old_hours_go(database: Database) -> None:
    old = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - KEPT - timedelta(hours=2)
    row = {"model": "old", "total_counts": [0] * BUCKETS, "first_token_counts": [0] * BUCKETS}
    async with database.begin() as connection:
        await connection.execute(insert(model_hours).values(hour=old, **row))
    processes = [Measures(database), Measures(database)]
    for measures in processes:
        for seconds in (0.2, 0.2, 5.0):
            measures.note("small", "answered", seconds=seconds, first_token_seconds=0.1)
        measures.note("rare", "failed", seconds=1.0)
        await measures.close()
    async with database.begin() as connection:
        (performance,) = await model_performance(
            connection, since=datetime.now(UTC) - timedelta(hours=1)
        )
        oldest = await connection.scalar(select(func.min(model_hours.c.hour)))
    assert performance.model == "small"  # the other was called too seldom to say anything
    assert performance.error_rate == 0
    assert performance.total is not None
    assert 0.15 < performance.total.p50 < 0.25
    assert 4 < performance.total.p95 < 6.5
    assert oldest is not None
    assert oldest > old
