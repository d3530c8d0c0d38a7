"""The usage stream as it is set: made, resized, and what is said where NATS will not have it."""

from __future__ import annotations

import pytest
from nats.js.errors import APIError
from structlog.testing import capture_logs

from backend.metering.errors import QueueUnavailable
from backend.metering.ingest.stream import UsageStream, dead_letter_stream, events_subject
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
