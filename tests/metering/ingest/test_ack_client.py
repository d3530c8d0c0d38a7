"""Messages stored by one write: confirmed, refused by name, or not answered in time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from urllib.parse import urlsplit

import pytest
from nats.aio.msg import Msg
from nats.errors import ConnectionClosedError, MaxPayloadError, OutboundBufferLimitError
from nats.js.errors import APIError, NoStreamResponseError

from backend.kit.nats_servers import nats_servers
from backend.metering.ingest.ack_client import AckClient, AckUnreadable
from backend.metering.ingest.connection import open_connection
from backend.metering.ingest.stream import UsageStream
from backend.settings import Settings
from tests.support.waiting import PATIENCE_SECONDS, until

pytestmark = pytest.mark.engine


@pytest.fixture
async def client(nats_url: str) -> AsyncIterator[AckClient]:
    client = AckClient()
    await open_connection(nats_servers(nats_url), "test", client)
    yield client
    if not client.is_closed:
        await client.close()


async def test_messages_are_stored_once_each_by_many_at_a_time(
    client: AckClient, stream_name: str
) -> None:
    js = client.jetstream()
    await js.add_stream(name=stream_name, subjects=[f"{stream_name}.*"])

    async def store(number: int) -> None:
        message = b"%d" % number
        await client.store(
            f"{stream_name}.x", message, message_id=f"m{number // 2}", seconds=PATIENCE_SECONDS
        )

    await asyncio.gather(*(store(number) for number in range(200)))
    state = (await js.stream_info(stream_name)).state
    assert state.messages == 100  # two have each id, and one of them is kept
    assert not client._waiting
    # What the library has is there as before
    assert (await js.publish(f"{stream_name}.x", b"last")).seq == 101
    await js.delete_stream(stream_name)


async def test_what_is_not_stored_is_told_by_its_cause(client: AckClient, stream_name: str) -> None:
    subject = f"{stream_name}.x"
    with pytest.raises(NoStreamResponseError):
        await client.store(subject, b"{}", message_id="a", seconds=PATIENCE_SECONDS)
    js = client.jetstream()
    await js.add_stream(name=stream_name, subjects=[subject], max_msg_size=10)
    with pytest.raises(APIError) as refused:
        await client.store(subject, b"x" * 11, message_id="b", seconds=PATIENCE_SECONDS)
    assert refused.value.err_code == 10054
    with pytest.raises(MaxPayloadError):
        await client.store(subject, bytes(client.max_payload + 1), message_id="c", seconds=1)
    await client.subscribe("taken", cb=_silent)
    with pytest.raises(TimeoutError):
        await client.store("taken", b"{}", message_id="d", seconds=0.05)
    assert not client._waiting
    await js.delete_stream(stream_name)
    await client.close()
    with pytest.raises(ConnectionClosedError):
        await client.store(subject, b"{}", message_id="e", seconds=1)


GARBLED = [
    b"",
    b"stored",
    b"[]",
    b'"x"',
    b"{}",
    b'{"stream": ',
    b'{"error": "no"}',
    b'{"error": {"none": 1}}',
    b"\xff",
]


async def test_an_answer_that_says_nothing_is_no_confirmation(
    client: AckClient, stream_name: str
) -> None:
    answers = list(GARBLED)

    async def garble(message: Msg) -> None:
        await client.publish(message.reply, answers.pop(0))

    await client.subscribe(f"{stream_name}.garbled", cb=garble)
    for _ in GARBLED:
        with pytest.raises(AckUnreadable):
            await client.store(
                f"{stream_name}.garbled", b"{}", message_id="a", seconds=PATIENCE_SECONDS
            )
    assert not client._waiting


async def test_what_waits_for_a_server_that_is_away_is_bounded(nats_url: str) -> None:
    servers = nats_servers(nats_url)
    server = urlsplit(servers.addresses[0])
    relays: set[asyncio.StreamWriter] = set()

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(server.hostname, server.port)
        relays.update((writer, far_writer))
        ways = ((reader, far_writer), (far_reader, writer))
        await asyncio.gather(*(_pass_on(*way) for way in ways), return_exceptions=True)

    between = await asyncio.start_server(relay, "127.0.0.1", 0)
    port = between.sockets[0].getsockname()[1]
    near = replace(servers, addresses=(f"nats://127.0.0.1:{port}",))
    client = AckClient()
    await open_connection(near, "test", client)
    between.close()
    for writer in relays:
        writer.transport.abort()

    async def is_away() -> bool:
        return not client.is_connected

    await until(is_away)
    message, raised = bytes(client.max_payload), list[type[Exception]]()
    for number in range(8):
        try:
            await client.store("x", message, message_id=f"m{number}", seconds=0.01)
        except (TimeoutError, OutboundBufferLimitError) as error:
            raised.append(type(error))
    assert raised == [TimeoutError] + [OutboundBufferLimitError] * 7
    assert len(client._waiting) == 0
    stream = UsageStream(nats_url, Settings())
    stream._client = client
    await stream.close()  # what waits has nowhere to go


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65_536):
        writer.write(data)


async def _silent(_message: object) -> None:
    """Take a message, and say nothing of it."""
