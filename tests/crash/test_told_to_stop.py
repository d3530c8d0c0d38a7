"""SIGTERM under load: what was begun is finished or given back; nothing is lost or doubled."""

from __future__ import annotations

import asyncio
import json
import random
import signal
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import openai
import pytest
from openai import AsyncOpenAI

from backend.metering.counting.batches import count_events
from backend.metering.events import AcceptedEvent
from backend.storage.database import Database
from backend.subscriptions.changes import start_subscription
from tests.crash.sender import RetryingSender
from tests.crash.test_kill_nine import (
    BATCH,
    DAYS,
    EVENTS,
    QUARTERS,
    batches,
    by_day,
    rollups_by_hand,
    stored_sums,
    tenant_and_credential,
    until_counted,
)
from tests.gateway.chat_answers import ASKED, ASKED_TOKENS, DONE, said, streamed
from tests.support.flaky import FlakyServer
from tests.support.installation import CrashableInstallation
from tests.support.tenants import sample_tenant
from tests.support.waiting import until

pytestmark = [pytest.mark.crash, pytest.mark.timeout(900)]

STOPS = {1_000: "worker", 2_500: "api", 4_000: "worker", 5_500: "api", 7_000: "worker"}


@pytest.fixture
def provider() -> Iterator[FlakyServer]:
    with FlakyServer() as serving:
        yield serving


@pytest.fixture
def environment(provider: FlakyServer, tmp_path: Path) -> dict[str, str]:
    """A provider to call, and a retention for the worker to see to."""
    upstream = {
        "name": "test",
        "base_url": f"{provider.url}/v1",
        "models": {"sample-small": "their-own-name"},
    }
    return {
        "FAREBOX_UPSTREAMS": json.dumps([upstream]),
        "FAREBOX_EVENT_RETENTION_DAYS": "500",
        "FAREBOX_EVENT_ARCHIVE_DIR": str(tmp_path),
        "FAREBOX_LOG_LEVEL": "INFO",
    }


async def test_what_is_told_to_stop_under_load_loses_and_doubles_nothing(
    installation: CrashableInstallation,
) -> None:
    tenant, application, secret = await tenant_and_credential(installation.database_url)
    await count_an_old_event(installation.database_url)
    sender = RetryingSender(installation.api_url, secret)
    statuses: list[int] = []

    async def stop_one_after_another() -> None:
        for after, name in STOPS.items():
            await sender.has_sent(after)
            statuses.append(await asyncio.to_thread(installation.terminate, name))
            installation.restart(name)

    async with asyncio.TaskGroup() as work:
        work.create_task(sender.send(batches(tenant, application, datetime.now(UTC))))
        work.create_task(sender.repeat(random.Random(7), BATCH, EVENTS))
        work.create_task(stop_one_after_another())
    await until_counted(installation.database_url, EVENTS)
    await sender.close()
    assert sender.repeated == EVENTS
    # Uvicorn lets the signal end it once all is done
    assert statuses == [{"worker": 0, "api": -signal.SIGTERM}[name] for name in STOPS.values()]
    assert installation.log("api").count("Application shutdown complete") == 2
    assert installation.log("worker").count("worker.stopped") == 3
    for name in ("api", "worker"):
        assert "Traceback" not in installation.log(name)
    expected = rollups_by_hand(sender.acknowledged)
    connection = await asyncpg.connect(installation.database_url)
    assert await connection.fetchval("SELECT count(*) FROM events") == EVENTS
    assert await connection.fetchval("SELECT archived_by FROM event_archives") == "worker"
    await connection.execute("DELETE FROM rollups WHERE model = 'old'")
    await connection.execute("DELETE FROM daily_rollups WHERE model = 'old'")
    assert await stored_sums(connection, QUARTERS) == expected
    assert await stored_sums(connection, DAYS) == by_day(expected)
    await connection.close()


async def count_an_old_event(database_url: str) -> None:
    """One that the worker archives when it is started again."""
    database = Database(database_url, pool_size=1)
    tenant = await sample_tenant(database, "old")
    long_ago = datetime.now(UTC) - timedelta(days=520)
    event = AcceptedEvent(
        tenant_id=tenant.id,
        source="test",
        id="old",
        time=long_ago,
        received_at=long_ago,
        application_id=tenant.application,
        model="old",
        quantities={"requests": Decimal(1)},
    )
    async with database.raw() as connection:
        await count_events(connection, [event])
    await database.close()


async def test_an_answer_under_way_is_finished_or_billed_as_far_as_it_came(
    installation: CrashableInstallation, provider: FlakyServer
) -> None:
    """The API waits for answers for ten seconds; one goes on within them, one does not."""
    database = Database(installation.database_url, pool_size=1)
    tenant = await sample_tenant(database)
    async with database.begin() as connection:
        await start_subscription(connection, tenant.id, "pay-as-you-go", datetime.now(UTC))
    await database.close()
    key = tenant.headers["authorization"].removeprefix("Bearer ")
    first = said("Hello there")
    provider.replies = [streamed(first, said(" and more", "stop"), DONE, stalls=len(first))]

    async with AsyncOpenAI(
        base_url=f"{installation.api_url}/v1", api_key=key, max_retries=0
    ) as sdk:

        async def begin() -> Any:
            stream = await sdk.chat.completions.create(
                model="sample-small", messages=ASKED, stream=True
            )
            assert (await anext(stream)).choices[0].delta.content == "Hello there"
            return stream

        finished = await begin()
        stopping = asyncio.create_task(asyncio.to_thread(installation.terminate, "api"))
        await until(installation.takes_no_more)
        provider.go_on()
        assert [chunk.choices[0].delta.content async for chunk in finished] == [" and more"]
        await stopping

        installation.restart("api")
        await installation.until_ready()
        provider.hold_again()
        cut_off = await begin()
        await asyncio.to_thread(installation.terminate, "api")
        with pytest.raises((openai.APIError, httpx.TransportError)):
            await anext(cut_off)

    await until_counted(installation.database_url, 2)
    connection = await asyncpg.connect(installation.database_url)
    rows = await connection.fetch(
        "SELECT labels ->> 'status', quantities FROM events ORDER BY time"
    )
    await connection.close()
    usage = [(status, json.loads(used, parse_int=str)) for status, used in rows]
    asked = {"requests": "1", "input_tokens": str(ASKED_TOKENS)}
    assert usage == [
        ("completed", asked | {"output_tokens": "4"}),
        ("aborted", asked | {"output_tokens": "2"}),
    ]
