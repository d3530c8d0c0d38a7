"""A worker gathers what comes one by one; told to stop, it gives back what it has not begun."""

from __future__ import annotations

import asyncio
import time

import pytest
from fastapi import FastAPI

from backend.kit.nats_servers import nats_servers
from backend.metering.counting import lanes
from backend.metering.counting.worker import CountingWorker
from backend.metering.events import encode
from backend.metering.ingest.connection import open_connection
from backend.metering.ingest.streams import COUNTING, events_subject
from backend.settings import Settings
from backend.storage.database import Database
from tests.metering.ingest.test_dead_letters import event, put_on_stream, sample
from tests.support.waiting import until

__all__ = ["sample"]

pytestmark = pytest.mark.engine

ACK_WAIT = 300.0
"""Seconds after which messages that were kept come back by themselves: not while the test runs."""


@pytest.mark.parametrize("wait_seconds", [0.25, 0.001], ids=["as it is", "slow machine"])
async def test_a_worker_that_stops_keeps_nothing_back(
    app: FastAPI,
    api_settings: Settings,
    database: Database,
    sample: tuple[str, str],
    monkeypatch: pytest.MonkeyPatch,
    wait_seconds: float,
) -> None:
    """Not even what comes when its fetch has ended, as most does where that ends soon."""
    monkeypatch.setattr(lanes, "_WAIT_SECONDS", wait_seconds)
    monkeypatch.setattr(lanes, "_ACK_WAIT_SECONDS", ACK_WAIT)
    assert api_settings.nats_url is not None
    packed = [encode([event(sample, f"{n}-{m}") for m in range(200)]) for n in range(150)]
    await put_on_stream(app, api_settings, *packed)
    stop = asyncio.Event()
    consumer = CountingWorker(database, api_settings.nats_url, api_settings)
    js = await app.state.services.stream.jetstream()
    async with database.raw() as connection, asyncio.TaskGroup() as group:
        group.create_task(consumer.run(stop))

        async def has_begun() -> bool:
            return bool(await connection.fetchval("SELECT count(*) FROM events"))

        await until(has_begun, pause=0.001)
        stop.set()
    async with database.raw() as connection:
        counted = await connection.fetchval("SELECT count(*) FROM events")
    waiting, remainder = divmod(200 * 150 - counted, 200)
    assert remainder == 0  # whole messages
    assert waiting > 0

    async def the_rest_waits() -> bool:
        state = (await js.stream_info(api_settings.stream_name)).state
        return bool(state.messages == waiting)

    await until(the_rest_waits)  # NATS takes acknowledged messages off its disk at leisure

    name = api_settings.stream_name
    another = await js.pull_subscribe(events_subject(name), durable=COUNTING, stream=name)
    assert (await another.consumer_info()).config.ack_wait == ACK_WAIT
    given = 0
    async with asyncio.timeout(ACK_WAIT / 3):
        while given < waiting:
            messages = await another.fetch(waiting - given, timeout=60)
            given += len(messages)
            for message in messages:
                await message.ack()
    assert given == waiting


async def test_messages_that_come_one_by_one_are_gathered_for_a_moment(
    app: FastAPI, api_settings: Settings, sample: tuple[str, str]
) -> None:
    """A turn for each of them would take PostgreSQL longer than the calls that they are of."""
    assert api_settings.nats_url is not None
    worker = await open_connection(nats_servers(api_settings.nats_url), "test")
    js, names = worker.jetstream(), [api_settings.stream_name]
    async with lanes.Lanes.open(worker, js, names) as own, asyncio.timeout(60):
        began, turns = time.monotonic(), 0
        for number in range(6):
            await put_on_stream(app, api_settings, encode([event(sample, str(number))]))
            counted = 0
            while not counted:
                for taken in await own.take():
                    counted += len(taken.events)
                    await own.acknowledge(taken)
            turns += 1
        lasted = time.monotonic() - began
    await worker.close()
    assert lasted > (turns - 1) * lanes._GATHER_SECONDS
