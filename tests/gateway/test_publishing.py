"""Calls' events in groups: each is stored before its call ends, many in few messages."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from backend.errors import Unavailable
from backend.gateway.publishing import Publisher
from backend.ids import new_id
from backend.metering.events import AcceptedEvent
from backend.metering.ingest.ack_client import AckClient
from backend.metering.ingest.stream import UsageStream
from backend.settings import Settings
from tests.support.waiting import PATIENCE_SECONDS

pytestmark = pytest.mark.engine


@pytest.fixture
async def stream(nats_url: str, stream_name: str) -> AsyncIterator[UsageStream]:
    settings = Settings(nats_url=nats_url, stream_name=stream_name, stream_max_bytes=64 * 1024**2)
    stream = await UsageStream.connect(nats_url, settings)
    yield stream
    await stream.close()


def event() -> AcceptedEvent:
    return AcceptedEvent(
        tenant_id="ten_1",
        sender="gateway",
        source="farebox://gateway",
        id=new_id("req"),
        time=datetime.now(UTC),
        received_at=datetime.now(UTC),
        application_id="app_1",
        key_id="",
        model="m",
        upstream="u",
        quantities={"requests": Decimal(1)},
        labels={},
        counted=None,
    )


async def test_many_events_are_stored_in_few_messages(stream: UsageStream) -> None:
    publisher = Publisher(stream)
    await publisher.publish(event())
    js = await stream.jetstream()
    assert (await js.stream_info(stream.name)).state.messages == 1
    await asyncio.gather(*(publisher.publish(event()) for _ in range(600)))
    messages = (await js.stream_info(stream.name)).state.messages
    assert 3 <= messages - 1 <= 8


async def test_a_garbled_confirmation_has_the_group_sent_again_and_stored_once(
    stream: UsageStream, monkeypatch: pytest.MonkeyPatch
) -> None:
    take, garbled = AckClient._process_msg, [b"garbled", b"{}"]

    async def spoil(
        client: AckClient, sid: int, subject: bytes, reply: bytes, data: bytes, headers: bytes
    ) -> None:
        if subject in client._waiting and garbled:
            data = garbled.pop()
        await take(client, sid, subject, reply, data, headers)

    monkeypatch.setattr(AckClient, "_process_msg", spoil)
    publisher = Publisher(stream)
    await asyncio.gather(*(publisher.publish(event()) for _ in range(20)))
    assert garbled == []
    js = await stream.jetstream()
    assert (await js.stream_info(stream.name)).state.messages == 3


async def test_a_caller_who_leaves_takes_no_other_with_it(stream: UsageStream) -> None:
    publisher = Publisher(stream)
    leaving, staying = (asyncio.create_task(publisher.publish(event())) for _ in range(2))
    await asyncio.sleep(0)
    leaving.cancel()
    await staying


async def test_all_are_told_that_the_stream_is_away(stream_name: str) -> None:
    settings = Settings(nats_url="nats://127.0.0.1:9", stream_name=stream_name)
    publisher = Publisher(UsageStream("nats://127.0.0.1:9", settings))
    failures = await asyncio.gather(
        *(publisher.publish(event()) for _ in range(5)), return_exceptions=True
    )
    assert [type(failure) for failure in failures if not isinstance(failure, Unavailable)] == []
    assert len(failures) == 5


class _Gated(UsageStream):
    """Stores each message once its gate is open."""

    def __init__(self, gate: asyncio.Future[None]) -> None:
        self._gate = gate
        self.begun = asyncio.Event()
        self.stored: list[str] = []

    async def publish(self, events: Sequence[AcceptedEvent]) -> None:
        self.begun.set()
        await self._gate
        self.stored += [each.id for each in events]


async def test_an_event_that_comes_as_the_last_messages_are_stored_is_published_too() -> None:
    gate: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    stream = _Gated(gate)
    publisher = Publisher(stream)
    events = [event() for _ in range(3)]

    async def once_the_gate_is_open() -> None:
        await gate
        await publisher.publish(events[2])

    before = []
    for each in events[:2]:
        stream.begun.clear()
        before.append(asyncio.create_task(publisher.publish(each)))
        await stream.begun.wait()
    last = asyncio.create_task(once_the_gate_is_open())
    await asyncio.sleep(0)
    gate.set_result(None)
    async with asyncio.timeout(PATIENCE_SECONDS):
        await asyncio.gather(*before, last)
    assert sorted(stream.stored) == sorted(each.id for each in events)


class _Faulty(_Gated):
    """Fails the second message in a way that nobody foresaw."""

    async def publish(self, events: Sequence[AcceptedEvent]) -> None:
        await super().publish(events)
        if len(events) > 1:
            raise KeyError("a fault")


async def test_a_fault_of_a_group_is_its_own_and_what_comes_meanwhile_is_published() -> None:
    gate: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    stream = _Faulty(gate)
    publisher = Publisher(stream)
    # Two under way, a full group that waits, and one that waits behind it
    events = [event() for _ in range(2 + 256 + 1)]
    calls = [asyncio.create_task(publisher.publish(each)) for each in events]
    await stream.begun.wait()
    await asyncio.sleep(0)
    gate.set_result(None)
    async with asyncio.timeout(PATIENCE_SECONDS):
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
    failed = [isinstance(outcome, KeyError) for outcome in outcomes]
    assert failed == [False] * 2 + [True] * 256 + [False]
