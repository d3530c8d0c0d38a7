"""Connections that a provider ends: as a request is sent, at once, or never with a whole head."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from backend.gateway.connections import connection as provider_connection
from backend.gateway.connections import pool as kept
from backend.gateway.connections.pool import Connections
from backend.kit.tls import provider_tls_context
from tests.gateway.test_connections import asked, certificate_for
from tests.gateway.test_provider_connection import asked as asked_by
from tests.gateway.test_provider_connection import connected
from tests.support.ports import free_port

pytestmark = pytest.mark.slow

ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi"
End = Callable[[asyncio.StreamWriter], object]


def close(writer: asyncio.StreamWriter) -> None:
    writer.close()


def reset(writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()


def close_in_the_head(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200")
    writer.close()


class Ending:
    """A provider that answers so many requests of a connection, and ends it at the next."""

    def __init__(self, answers: list[int], end: End) -> None:
        self.answers = answers
        self.requests = list[int]()
        """How many came by each connection."""
        self._end = end

    async def serve(self) -> tuple[asyncio.Server, str]:
        server = await asyncio.start_server(self._answer, "127.0.0.1", 0)
        return server, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        place = len(self.requests)
        self.requests.append(0)
        with suppress(asyncio.IncompleteReadError, OSError):
            while await reader.readuntil(b"\r\n\r\n"):
                self.requests[place] += 1
                if self.requests[place] > self.answers[place]:
                    self._end(writer)
                    return
                writer.write(ANSWER)
        writer.close()


@pytest.fixture
async def connections() -> AsyncIterator[Connections]:
    connections = Connections(provider_tls_context(), connect_seconds=30)
    yield connections
    await connections.close()


@pytest.mark.parametrize("end", [close, reset])
async def test_a_call_that_crosses_with_the_end_of_an_idle_connection_goes_by_another(
    connections: Connections, end: End
) -> None:
    ending = Ending([1, 1, 0], end)
    server, url = await ending.serve()
    assert [await asked(connections, url) for _ in range(2)] == [b"hi"] * 2
    assert ending.requests == [2, 1]
    with pytest.raises(httpx.RemoteProtocolError):  # the new one too: it has read the request
        await asked(connections, url)
    assert ending.requests == [2, 2, 1]
    assert not connections._all
    server.close()


async def test_one_that_ended_otherwise_is_not_asked_again(
    connections: Connections, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may have been read, and cost something."""
    in_head = Ending([1], close_in_the_head)
    server, url = await in_head.serve()
    assert await asked(connections, url) == b"hi"
    with pytest.raises(httpx.RemoteProtocolError):
        await asked(connections, url)
    assert in_head.requests == [2]
    server.close()

    late = Ending([1], close)
    server, url = await late.serve()
    assert await asked(connections, url) == b"hi"
    monkeypatch.setattr(provider_connection, "_STALE_SECONDS", 0.0)
    with pytest.raises(httpx.RemoteProtocolError):
        await asked(connections, url)
    assert late.requests == [2]
    server.close()


async def test_who_waits_for_a_connection_learns_that_another_could_not_be_made(
    connections: Connections, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept, "MOST_CONNECTIONS", 1)
    server, url = await Ending([1], close).serve()
    refused = asyncio.create_task(asked(connections, f"http://127.0.0.1:{free_port()}/v1"))
    await asyncio.sleep(0)  # it has the one place
    assert connections._opening == 1
    async with asyncio.timeout(20):  # before the thirty seconds in which a connection is to be made
        assert await asked(connections, url) == b"hi"
    with pytest.raises(httpx.ConnectError):
        await refused
    server.close()


async def test_a_connection_that_ends_as_it_is_made_takes_no_place(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(kept, "MOST_CONNECTIONS", 1)
    own, trusted = certificate_for("localhost", tmp_path)
    own.maximum_version = ssl.TLSVersion.TLSv1_2  # in which the server's part ends the handshake
    listening = socket.create_server(("127.0.0.1", 0))
    serving = threading.Thread(target=_say_and_close, args=(listening, own))
    serving.start()
    connections = Connections(trusted, connect_seconds=30)
    port = listening.getsockname()[1]
    with pytest.raises((httpx.ConnectError, httpx.RemoteProtocolError)):
        await connections.post(f"https://localhost:{port}/v1", {}, b"")
    await asyncio.to_thread(serving.join)
    listening.close()
    assert not connections._all
    await connections.close()


def _say_and_close(listening: socket.socket, tls: ssl.SSLContext) -> None:
    """Send the last of the handshake, an answer, and the end at once."""
    accepted, _address = listening.accept()
    with accepted:
        coming, going = ssl.MemoryBIO(), ssl.MemoryBIO()
        secure = tls.wrap_bio(coming, going, server_side=True)
        while True:
            try:
                secure.do_handshake()
            except ssl.SSLWantReadError:
                accepted.sendall(going.read())
                coming.write(accepted.recv(65_536))
            else:
                break
        secure.write(b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\n\r\n")
        with suppress(ssl.SSLError):
            secure.unwrap()
        accepted.sendall(going.read())


async def test_a_trailer_without_an_end_is_refused() -> None:
    connection, wire, _ = connected()
    sending = await asked_by(connection)
    connection.data_received(
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nx: "
    )
    answer = await sending
    for _ in range(3):
        connection.data_received(b"y" * 40_000)
    with pytest.raises(httpx.RemoteProtocolError, match="too long"):
        _ = [piece async for piece in answer.aiter_bytes()]
    assert wire.closed


async def test_no_request_goes_behind_one_that_was_answered_before_it_was_sent() -> None:
    connection, wire, released = connected()
    sending = await asked_by(connection)
    wire.unsent = 100_000
    connection.data_received(b"HTTP/1.1 413 Too Large\r\ncontent-length: 2\r\n\r\nno")
    answer = await sending
    assert [piece async for piece in answer.aiter_bytes()] == [b"no"]
    assert (released, connection.is_usable, wire.closed) == ([connection], False, True)
