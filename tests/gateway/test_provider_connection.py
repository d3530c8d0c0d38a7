"""What a connection makes of the bytes that come by it, however they are cut, and of wrong ones."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import zlib
from itertools import pairwise
from typing import cast

import h11
import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.gateway.connections.answer import Answer
from backend.gateway.connections.connection import Connection

pytestmark = pytest.mark.fast

REQUEST = b"POST /v1/x HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n"
BODIES = st.binary(max_size=300)


class Wire(asyncio.Transport):
    """A transport that keeps what it is told, and loses its connection as one does."""

    def __init__(self, connection: Connection) -> None:
        super().__init__()
        self._connection = connection
        self.written = b""
        self.paused = False
        self.closed = False
        self.unsent = 0
        connection.connection_made(self)

    def writelines(self, list_of_data: object) -> None:
        self.written += b"".join(cast(list[bytes], list_of_data))

    def is_closing(self) -> bool:
        return self.closed

    def abort(self) -> None:
        self.closed = True

    def get_write_buffer_size(self) -> int:
        return self.unsent

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False


def connected() -> tuple[Connection, Wire, list[Connection]]:
    released: list[Connection] = []
    connection = Connection(released.append)
    return connection, Wire(connection), released


async def asked(connection: Connection) -> asyncio.Task[Answer]:
    sending = asyncio.create_task(connection.send(REQUEST))
    await asyncio.sleep(0)
    return sending


async def body_of(answer: Answer) -> bytes:
    return b"".join([piece async for piece in answer.aiter_bytes()])


def cuts(data: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted({place % (len(data) + 1) for place in places}), len(data)]
    return [data[start:end] for start, end in pairwise(edges) if start < end]


def chunked(pieces: list[bytes]) -> bytes:
    chunks = [b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces if piece]
    return b"".join([*chunks, b"0\r\n\r\n"])


@given(
    pieces=st.lists(BODIES, max_size=5),
    places=st.lists(st.integers(0, 5000), max_size=8),
    way=st.sampled_from(["length", "chunks", "end"]),
    early=st.booleans(),
)
def test_any_cut_of_an_answer_says_the_same(
    pieces: list[bytes], places: list[int], way: str, early: bool
) -> None:
    body = b"".join(pieces)
    head = b"HTTP/1.1 100 Continue\r\n\r\n" if early else b""
    head += b"HTTP/1.1 200 OK\r\nContent-Type: text/x\r\ncontent-type: other\r\n"
    if way == "length":
        data = head + b"content-length: %d\r\n\r\n%b" % (len(body), body)
    elif way == "chunks":
        data = head + b"transfer-encoding: chunked\r\n\r\n" + chunked(pieces)
    else:
        data = head + b"\r\n" + body

    async def read() -> None:
        connection, wire, released = connected()
        sending = await asked(connection)
        for piece in cuts(data, places):
            connection.data_received(piece)
        if way == "end":
            connection.connection_lost(None)
        answer = await sending
        assert (answer.status_code, answer.headers["content-type"]) == (200, "text/x")
        assert await body_of(answer) == body
        assert await body_of(answer) == b""
        assert (released, connection.is_usable) == ([connection], way != "end")
        await answer.aclose()
        assert wire.written == REQUEST
        assert not wire.closed or way == "end"

    asyncio.run(read())


@given(
    data=st.binary(max_size=200), flipped=st.integers(0, 400), places=st.lists(st.integers(0, 400))
)
def test_what_is_no_answer_is_an_error_or_what_another_parser_reads(
    data: bytes, flipped: int, places: list[int]
) -> None:
    """Bytes with one of them changed: never more than one answer, never one without an end."""
    sound = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + chunked([data, b"the end"])
    place = flipped % len(sound)
    spoiled = sound[:place] + bytes([sound[place] ^ (1 + flipped % 255)]) + sound[place + 1 :]

    async def read() -> bytes | None:
        connection, _, released = connected()
        sending = await asked(connection)
        for piece in cuts(spoiled, places):
            if connection.is_usable:
                connection.data_received(piece)
        connection.connection_lost(None)
        assert not connection.is_usable
        assert released[-1] is connection
        with contextlib.suppress(httpx.HTTPError):
            return await body_of(await sending)
        return None

    body = asyncio.run(read())
    theirs = read_by_h11(spoiled)
    if body is not None and theirs is not None:
        assert body == theirs


def read_by_h11(data: bytes) -> bytes | None:
    """The body as httpx's own parser reads it; None of what that refuses."""
    parser, body = h11.Connection(h11.CLIENT), b""
    parser.send(
        h11.Request(method="POST", target="/", headers=[("host", "x"), ("content-length", "0")])
    )
    parser.send(h11.EndOfMessage())
    try:
        parser.receive_data(data)
        parser.receive_data(b"")
        while not isinstance(event := parser.next_event(), h11.EndOfMessage):
            if event is h11.NEED_DATA or event is h11.PAUSED:
                return None
            body += bytes(event.data) if isinstance(event, h11.Data) else b""
    except h11.RemoteProtocolError:
        return None
    return body


@pytest.mark.parametrize(
    "more",
    [
        b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nother",
        b"anything",
        b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n",
    ],
)
async def test_an_answer_that_nobody_asked_for_reaches_nobody(more: bytes) -> None:
    connection, wire, _ = connected()
    sending = await asked(connection)
    connection.data_received(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nmy" + more)
    assert await body_of(await sending) == b"my"
    assert wire.closed
    with pytest.raises(httpx.RemoteProtocolError):
        await connection.send(REQUEST)

    idle, wire, _ = connected()
    idle.data_received(more)
    assert wire.closed
    with pytest.raises(httpx.RemoteProtocolError):
        await idle.send(REQUEST)


async def test_one_that_is_not_finished_is_not_used_again() -> None:
    connection, wire, released = connected()
    sending = await asked(connection)
    connection.data_received(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf")
    with pytest.raises(RuntimeError, match="one request"):
        await connection.send(REQUEST)
    await (await sending).aclose()
    assert (wire.closed, released, connection.is_usable) == (True, [connection], False)

    connection, wire, _ = connected()
    sending = await asked(connection)
    sending.cancel()
    await asyncio.wait({sending})
    assert (sending.cancelled(), wire.closed) == (True, True)


async def test_a_caller_who_leaves_as_the_answer_comes_ends_no_other_call() -> None:
    connection, wire, _ = connected()
    leaving = await asked(connection)
    connection.data_received(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nmy")
    leaving.cancel()
    other = await asked(connection)
    await asyncio.wait({leaving})
    assert not wire.closed
    connection.data_received(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nother")
    assert await body_of(await other) == b"other"


async def test_the_last_chunk_may_come_a_moment_later() -> None:
    connection, wire, released = connected()
    sending = await asked(connection)
    connection.data_received(
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + chunked([b"all"])[:-5]
    )
    closing = asyncio.create_task((await sending).aclose())
    await asyncio.sleep(0)
    connection.data_received(b"0\r\n\r\n")
    await closing
    assert (wire.closed, released) == (False, [connection])


async def test_a_provider_waits_for_a_slow_reader() -> None:
    connection, wire, _ = connected()
    sending = await asked(connection)
    connection.data_received(b"HTTP/1.1 200 OK\r\ncontent-length: 600000\r\n\r\n")
    answer = await sending
    for _ in range(3):
        connection.data_received(bytes(100_000))
    waits = [wire.paused]
    pieces = answer.aiter_bytes()
    assert len(await anext(pieces)) == 300_000
    waits.append(wire.paused)
    connection.data_received(bytes(300_000))
    waits.append(wire.paused)
    assert len(await anext(pieces)) == 300_000
    assert waits == [True, False, False]  # the last: it is whole


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
async def test_an_answer_that_says_more_than_it_is_long_is_read_in_pieces(coding: str) -> None:
    body = b"a word " * 500_000
    coded = gzip.compress(body) if coding == "gzip" else zlib.compress(body)
    for sent, whole in ((coded, True), (coded[:-4], False)):
        connection, _, _ = connected()
        sending = await asked(connection)
        head = b"HTTP/1.1 200 OK\r\ncontent-encoding: %b\r\ncontent-length: %d\r\n\r\n"
        connection.data_received(head % (coding.encode(), len(sent)) + sent)
        answer, pieces = await sending, list[bytes]()
        if whole:
            pieces = [piece async for piece in answer.aiter_bytes()]
            assert b"".join(pieces) == body
            assert max(map(len, pieces)) <= 256 * 1024
        else:
            with pytest.raises(httpx.HTTPError):
                await body_of(answer)


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 200 OK\r\ncontent-encoding: br\r\ncontent-length: 2\r\n\r\nxx",
        b"HTTP/1.1 200 OK\r\nx: " + b"y" * 70_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nx: " + b"y" * 70_000,  # and so on for ever
        b"HTTP/1.1 100 Continue\r\n\r\n" * 5_000,
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nxxx",
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        b"<html>",
        *(
            b"HTTP/1.1 200 OK\r\n%b\r\n\r\n3\r\nab" % b"\r\n".join(lines)
            for lines in (
                # Two lines are a list, of which the last is how the body ends
                [b"transfer-encoding: gzip", b"Transfer-Encoding: chunked"],
                [b"transfer-encoding: chunked", b"transfer-encoding: gzip"],
                [b"transfer-encoding: chunked"] * 2,
                [b"transfer-encoding: chunked", b"transfer-encoding: identity"],
                [b"transfer-encoding: gzip, chunked"],
                [b"transfer-encoding: gzip"],
                [b"transfer-encoding: xchunked"],
                [b"transfer-encoding: gzip", b"content-length: 3"],
                [b"content-length: 3", b"transfer-encoding: identity"],
                [b"transfer-encoding: chunked", b"transfer-encoding: gzip", b"content-length: 3"],
            )
        ),
    ],
)
async def test_an_answer_that_can_not_be_read_is_refused(data: bytes) -> None:
    connection, wire, _ = connected()
    sending = await asked(connection)
    connection.data_received(data)
    with pytest.raises(httpx.RemoteProtocolError):
        await sending
    assert wire.closed
