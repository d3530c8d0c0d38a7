"""What the usage stream says of a NATS that will not have it."""

from __future__ import annotations

import pytest
from nats.js.errors import APIError

from backend.errors import Unavailable
from backend.metering.stream import UsageStream
from backend.settings import Settings

pytestmark = pytest.mark.engine


async def test_a_stream_larger_than_the_disk_is_refused(nats_url: str, stream_name: str) -> None:
    settings = Settings(stream_name=stream_name, stream_max_bytes=2**60)
    stream = UsageStream(nats_url, settings)
    with pytest.raises(Unavailable, match="can't be made") as refused:
        await stream.jetstream()
    cause = refused.value.__cause__
    assert isinstance(cause, APIError)
    assert "insufficient storage" in str(cause.description)
    await stream.close()
