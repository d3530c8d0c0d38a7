"""Engines that stop while calls are under way: every call is counted all the same, and once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from openai import AsyncOpenAI

from backend.engines.nats import start_nats
from backend.engines.processes import RunningEngine
from backend.metering.errors import QueueFull
from backend.metering.ingest.stream import UsageStream
from backend.settings import Settings
from tests.gateway.chat_answers import DONE, USAGE, USED, chunk, said, streamed, whole
from tests.gateway.conftest import Metered
from tests.support.flaky import FlakyServer, Reply
from tests.support.ports import free_port
from tests.support.waiting import until

pytestmark = pytest.mark.engine

ASKED = [{"role": "user", "content": "Say hello"}]


class OwnNats:
    """A NATS that a test can kill and start again."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._port = free_port()
        self.running: RunningEngine = self.start()

    def start(self) -> RunningEngine:
        self.running = start_nats(self._home, port=self._port)
        return self.running

    def kill(self) -> None:
        self.running.process.kill()
        self.running.process.wait()


@pytest.fixture
def own_nats(tmp_path: Path) -> Iterator[OwnNats]:
    nats = OwnNats(tmp_path / "nats")
    yield nats
    nats.running.stop()


@pytest.fixture
def api_settings(api_settings: Settings, own_nats: OwnNats) -> Settings:
    """Settings with a NATS of the test's own."""
    return api_settings.model_copy(update={"nats_url": own_nats.running.url})


async def test_a_call_whose_end_the_stream_can_not_take_is_counted_once(
    client: AsyncOpenAI,
    app: FastAPI,
    provider: FlakyServer,
    own_nats: OwnNats,
    metered: Callable[[int], Awaitable[list[Metered]]],
) -> None:
    first = said("Hello")
    last = chunk(choices=[], usage=USAGE)
    provider.replies = [streamed(first, said(" there", "stop"), last, DONE, stalls=len(first))]
    stream = await client.chat.completions.create(model="sample-small", messages=ASKED, stream=True)
    heard = (await anext(stream)).choices[0].delta.content or ""
    own_nats.kill()
    provider.go_on()
    async for part in stream:
        heard += part.choices[0].delta.content or ""
    assert heard == "Hello there"
    (event,) = await metered(1)
    assert event.quantities == USED

    own_nats.start()
    await app.state.services.gateway.close()
    assert len(await metered(1)) == 1


async def test_a_call_that_the_stream_fails_at_as_nobody_foresaw_is_counted_once(
    client: AsyncOpenAI,
    provider: FlakyServer,
    metered: Callable[[int], Awaitable[list[Metered]]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def fail(*_: object) -> None:
        raise RuntimeError("nobody foresaw it")

    monkeypatch.setattr(UsageStream, "publish", fail)
    provider.replies = [Reply(body=whole(usage=USAGE))]
    await client.chat.completions.create(model="sample-small", messages=ASKED)
    (event,) = await metered(1)
    assert event.quantities == USED


async def test_calls_go_on_without_the_stream_and_each_is_counted_once(
    client: AsyncOpenAI,
    app: FastAPI,
    provider: FlakyServer,
    own_nats: OwnNats,
    metered: Callable[[int], Awaitable[list[Metered]]],
) -> None:
    provider.replies = [Reply(body=whole(usage=USAGE))]
    connection = app.state.services.stream.client

    async def connected() -> bool:
        return bool(connection.is_connected)

    async def away() -> bool:
        return not await connected()

    async def ask() -> None:
        await client.chat.completions.create(model="sample-small", messages=ASKED)

    await ask()
    await metered(1)
    own_nats.kill()
    await until(away)
    await asyncio.gather(*(ask() for _ in range(5)))
    assert len(await metered(6)) == 6
    own_nats.start()
    await until(connected)
    await asyncio.gather(*(ask() for _ in range(5)))
    events = await metered(11)
    assert [event.quantities for event in events] == [USED] * 11


async def test_calls_are_counted_and_settled_while_the_stream_is_full(
    client: AsyncOpenAI,
    app: FastAPI,
    provider: FlakyServer,
    metered: Callable[[int], Awaitable[list[Metered]]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def full(events: object) -> None:
        raise QueueFull("The usage stream is full.", retry_after_seconds=5)

    monkeypatch.setattr(app.state.services.stream, "publish", full)
    provider.replies = [Reply(body=whole(usage=USAGE))]
    await client.chat.completions.create(model="sample-small", messages=ASKED)
    (event,) = await metered(1)
    assert event.quantities == USED
