"""What waits to be counted, and since when."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from fastapi import FastAPI
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.kit.nats_servers import nats_servers
from backend.metering.counting.lanes import Lanes, Taken
from backend.metering.counting.worker import CountingWorker
from backend.metering.events import encode
from backend.metering.ingest import backlog
from backend.metering.ingest.connection import open_connection
from backend.metering.ingest.pipeline import pipeline_status
from backend.metering.ingest.streams import (
    backfill_subject,
    dead_letter_stream,
    ensure_streams,
    events_subject,
    possible_streams,
)
from backend.settings import Settings
from backend.storage.database import Database
from backend_client.types.pipeline import Pipeline
from tests.metering.ingest.test_dead_letters import event, put_on_stream, sample
from tests.support.waiting import until

__all__ = ["sample"]

pytestmark = pytest.mark.engine


async def test_what_waits_is_told_until_it_is_counted(
    app: FastAPI, api_settings: Settings, database: Database, sample: tuple[str, str]
) -> None:
    js = await app.state.services.stream.jetstream()

    async def look(connection: AsyncConnection) -> Pipeline:
        return await pipeline_status(connection, js, api_settings.stream_name)

    async with database.begin() as connection:
        idle = await look(connection)
    assert (idle.waiting_messages, idle.dead_letters) == (0, 0)
    assert idle.oldest_waiting_at is idle.counted_at is None
    assert idle.most_bytes == api_settings.stream_max_bytes

    before = datetime.now(UTC)
    good = [encode([event(sample, name)]) for name in "abc"]
    await put_on_stream(app, api_settings, *good, b"no event")
    async with database.begin() as connection:
        waiting = await look(connection)
    assert (waiting.waiting_messages, waiting.in_progress_messages) == (4, 0)
    assert waiting.waiting_bytes > sum(map(len, good))
    assert waiting.oldest_waiting_at is not None
    assert abs(waiting.oldest_waiting_at - before) < timedelta(minutes=1)

    async def all_counted() -> bool:
        async with database.begin() as connection:
            now = await look(connection)
        return (now.waiting_messages, now.in_progress_messages, now.dead_letters) == (0, 0, 1)

    async with counting(database, api_settings):
        await until(all_counted)
    async with database.begin() as connection:
        counted = await look(connection)
    assert counted.counted_at is not None
    assert (counted.events_counted, counted.duplicates_counted) == (3, 0)
    assert counted.oldest_dead_letter_at is not None


async def test_what_is_in_a_stream_of_an_earlier_setting_is_shown_and_counted_once(
    app: FastAPI, api_settings: Settings, database: Database, sample: tuple[str, str]
) -> None:
    """Three streams there were once, and an event went to two: its write was not confirmed."""
    js = await app.state.services.stream.jetstream()
    first, second, third = possible_streams(api_settings.stream_name)
    for name in (second, third):
        settings = api_settings.model_copy(update={"stream_name": name})
        await ensure_streams(js, settings)
        await js.delete_stream(dead_letter_stream(name))
    twice, once = (encode([event(sample, name)]) for name in ("twice", "once"))
    await js.publish(events_subject(first), twice)
    await js.publish(events_subject(second), twice)
    await js.publish(backfill_subject(second), once)
    await js.publish(events_subject(third), b"no event")

    async def look() -> Pipeline:
        async with database.begin() as connection:
            return await pipeline_status(connection, js, api_settings.stream_name)

    waiting = await look()
    assert [(state.name, state.waiting_messages) for state in waiting.streams] == [
        (first, 1),
        (second, 2),
        (third, 1),
    ]
    assert waiting.waiting_messages == 4
    assert waiting.most_bytes == 3 * api_settings.stream_max_bytes
    async with counting(database, api_settings):

        async def all_counted() -> bool:
            return (await look()).waiting_messages == 0

        await until(all_counted)
    counted = await look()
    assert (counted.events_counted, counted.duplicates_counted, counted.dead_letters) == (2, 1, 1)


@asynccontextmanager
async def counting(database: Database, settings: Settings) -> AsyncIterator[None]:
    """Count during the block."""
    assert settings.nats_url is not None
    stop = asyncio.Event()
    working = asyncio.create_task(CountingWorker(database, settings.nats_url, settings).run(stop))
    try:
        yield
    finally:
        stop.set()
        await working


async def test_what_comes_back_and_whose_has_waited_longest(
    app: FastAPI,
    api_settings: Settings,
    database: Database,
    sample: tuple[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(backlog, "SOON", timedelta(0))
    js = await app.state.services.stream.jetstream()
    first, second = (
        msgspec.structs.replace(event(sample, name), tenant_id=f"ten_{name}") for name in ("a", "b")
    )
    await put_on_stream(app, api_settings, b"no event", encode([first]), encode([second, first]))

    async def look() -> Pipeline:
        async with database.begin() as connection:
            return await pipeline_status(connection, js, api_settings.stream_name)

    waiting = await look()
    assert waiting.redelivered_messages == 0
    assert [tenant.tenant_id for tenant in waiting.oldest_by_tenant] == ["ten_a", "ten_b"]
    since = [tenant.oldest_waiting_at for tenant in waiting.oldest_by_tenant]
    assert waiting.oldest_waiting_at is not None
    assert waiting.oldest_waiting_at <= since[0] <= since[1]

    assert api_settings.nats_url is not None
    worker = await open_connection(nats_servers(api_settings.nats_url), "test")
    names = [api_settings.stream_name]
    async with Lanes.open(worker, worker.jetstream(), names) as lanes:
        taken: list[Taken] = []
        while not taken:
            taken = await lanes.take()
        for each in taken:
            await lanes.put_off(each, 0)

        async def came_back() -> bool:
            await lanes.take()
            return (await look()).redelivered_messages == 3

        await until(came_back)
    await worker.close()
    monkeypatch.setattr(backlog, "SOON", timedelta(minutes=1))
    assert (await look()).oldest_by_tenant == []
