"""What waits to be counted, and since when."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from fastapi import FastAPI
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.metering.counting.worker import UsageConsumer
from backend.metering.events import encode
from backend.metering.ingest.pipeline import pipeline_status
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

    assert api_settings.nats_url is not None
    stop = asyncio.Event()
    consumer = UsageConsumer(database, api_settings.nats_url, api_settings)
    working = asyncio.create_task(consumer.run(stop))
    try:
        await until(all_counted)
    finally:
        stop.set()
        await working
    async with database.begin() as connection:
        counted = await look(connection)
    assert counted.counted_at is not None
    assert (counted.events_counted, counted.duplicates_counted) == (3, 0)
    assert counted.oldest_dead_letter_at is not None
