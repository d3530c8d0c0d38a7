"""The usage stream as it is set: made, resized, and what is said where NATS will not have it."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from nats.js import JetStreamContext
from nats.js.errors import APIError
from structlog.testing import capture_logs

from backend.kit.nats_servers import nats_servers
from backend.metering.errors import QueueFull, QueueUnavailable
from backend.metering.events import AcceptedEvent
from backend.metering.ingest.connection import open_connection
from backend.metering.ingest.stream import UsageStream
from backend.metering.ingest.streams import (
    dead_letter_stream,
    ensure_streams,
    events_subject,
    possible_streams,
)
from backend.settings import Settings

pytestmark = pytest.mark.engine


async def test_a_stream_larger_than_the_disk_is_refused(nats_url: str, stream_name: str) -> None:
    settings = Settings(stream_name=stream_name, stream_max_bytes=2**60)
    stream = UsageStream(nats_url, settings)
    with pytest.raises(QueueUnavailable, match="can't be made") as refused:
        await stream.jetstream()
    cause = refused.value.__cause__
    assert isinstance(cause, APIError)
    assert "insufficient storage" in str(cause.description)
    await stream.close()


async def test_a_stream_gets_the_size_that_is_set_now_and_keeps_what_is_in_it(
    nats_url: str, stream_name: str
) -> None:
    async def seen_with(max_bytes: int) -> tuple[int | None, int, int]:
        stream = UsageStream(
            nats_url, Settings(stream_name=stream_name, stream_max_bytes=max_bytes)
        )
        js = await stream.jetstream()
        if max_bytes == 2**20:
            await js.publish(events_subject(stream_name), b"[]")
        info = await js.stream_info(stream_name)
        dead = await js.stream_info(dead_letter_stream(stream_name))
        await stream.close()
        return info.config.max_bytes, info.state.messages, dead.config.max_bytes or 0

    assert await seen_with(2**20) == (2**20, 1, 2**20)
    assert await seen_with(2**21) == (2**21, 1, 2**21)
    assert await seen_with(2**19) == (2**19, 1, 2**19)
    with capture_logs() as logs:
        assert await seen_with(2**60) == (2**19, 1, 2**19)  # the disk has less
    assert "nats.stream_not_changed" in {entry["event"] for entry in logs}


async def test_a_write_goes_to_another_stream_when_one_is_away_or_full(
    nats_url: str, stream_name: str
) -> None:
    """The three streams of a cluster, on one server, where each has a single copy."""
    settings = Settings(stream_name=stream_name, stream_max_bytes=2**20)
    stream = UsageStream(nats_url, settings.model_copy(update={"stream_replicas": 3}))
    client = await open_connection(nats_servers(nats_url), "test")
    js = client.jetstream()
    for name in possible_streams(stream_name):
        await ensure_streams(js, settings.model_copy(update={"stream_name": name}))
        await js.delete_stream(dead_letter_stream(name))
    await ensure_streams(js, settings)
    first, second, third = stream.tried_in_turn

    async def stored(name: str) -> int:
        return (await js.stream_info(name)).state.messages

    await stream.publish([an_event("a")])
    assert await stored(first) == 1
    await js.delete_stream(first)
    await stream.publish([an_event("b")])
    assert (await stored(second), stream.tried_in_turn) == (1, (second, third, first))
    await stream.publish([an_event("c")])  # and goes on there
    assert (await stored(second), await stored(third)) == (2, 0)
    assert await stream.healthy()

    await fill(js, second)
    await stream.publish([an_event("d")])
    assert await stored(third) == 1
    await ensure_streams(js, settings)
    for name in (first, third):
        await fill(js, name)
    with pytest.raises(QueueFull):
        await stream.publish([an_event("e")])
    await stream.close()
    await client.close()


async def fill(js: JetStreamContext, name: str) -> None:
    """Leave no room for another message."""
    config = (await js.stream_info(name)).config
    await js.update_stream(config, max_bytes=1)


def an_event(name: str) -> AcceptedEvent:
    now = datetime.now(UTC)
    return AcceptedEvent(
        tenant_id="ten_1",
        source="test",
        id=name,
        time=now,
        received_at=now,
        application_id="app_1",
        model="large",
        quantities={"requests": Decimal(1)},
    )
