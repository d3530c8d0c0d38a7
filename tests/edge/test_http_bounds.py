"""A stranger's request is bounded in its head and in its time; any other is served as ever."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from edge.http_bounds import MOST_HEAD_BYTES, MOST_HEADERS, BoundedHttp
from tests.support.serving import served

pytestmark = pytest.mark.fast


class Impatient(BoundedHttp):
    """With deadlines that a test can wait for."""

    head_seconds = 0.3
    body_seconds = 0.3


async def echo(request: Request) -> Response:
    try:
        return PlainTextResponse(str(len(await request.body())))
    except ClientDisconnect:
        return PlainTextResponse("gone")


@pytest.fixture
async def port() -> AsyncIterator[int]:
    async with served_by(Impatient) as port:
        yield port


@asynccontextmanager
async def served_by(http: type[BoundedHttp]) -> AsyncIterator[int]:
    app = Starlette(routes=[Route("/", echo, methods=["GET", "POST"])])
    async with served(app, http=http) as url:
        yield int(url.rpartition(":")[2])


async def answer(port: int, *parts: bytes, pause: float = 0.0) -> bytes:
    """What the server says to the parts of a request, until it closes or has answered."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(pause)
        async with asyncio.timeout(60):
            return await reader.read()
    except ConnectionError:
        return b"reset"
    finally:
        writer.close()


def request(*headers: bytes, body: bytes = b"") -> bytes:
    lines = [b"POST / HTTP/1.1", b"host: x", b"connection: close", *headers]
    return b"\r\n".join([*lines, b"content-length: %d" % len(body), b"", body])


async def test_a_request_within_its_bounds_is_served(port: int) -> None:
    most = [b"x-%d: y" % number for number in range(MOST_HEADERS - 3)]
    assert (await answer(port, request(*most, body=b"12345"))).endswith(b"5")
    long = b"x: " + b"y" * (MOST_HEAD_BYTES - 200)
    assert b" 200 " in await answer(port, request(long))


@pytest.mark.parametrize("size", [0, 5, 70_000])
@pytest.mark.parametrize("piece", [1 << 20, 50])
async def test_an_upgrade_that_is_not_known_is_ignored(size: int, piece: int) -> None:
    asks = (
        b"POST / HTTP/1.1\r\nhost: x\r\nconnection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\n"
        b"http2-settings: AAEAAEAAAAIAAAAAAAMAAAAAAAQBAAAAAAUAAEAAAAYABgAA\r\n"
        b"content-length: %d\r\n\r\n" % size
    )
    # On a connection that stays open, with a plain request after it
    sent = asks + b"y" * size + asks + b"z" * size + request(body=b"123")
    parts = [sent[start : start + piece] for start in range(0, len(sent), piece)]
    async with served_by(BoundedHttp) as port:
        said = await answer(port, *parts)
    bodies = [text.partition(b"\r\n\r\n")[2] for text in said.split(b"HTTP/1.1 200 OK")[1:]]
    assert bodies == [str(size).encode(), str(size).encode(), b"3"]


@pytest.mark.parametrize(
    "headers",
    [
        [b"x-%d: y" % number for number in range(MOST_HEADERS)],
        [b"x: " + b"y" * MOST_HEAD_BYTES],
    ],
    ids=["many", "large"],
)
async def test_a_head_over_its_bounds_is_refused(port: int, headers: list[bytes]) -> None:
    assert (await answer(port, request(*headers))).startswith(b"HTTP/1.1 431 ")


async def test_a_head_without_an_end_is_refused_while_it_comes() -> None:
    """80 MB of header made both servers grow by more than that.

    It has all the time that heads have: no deadline ends it.
    """
    async with served_by(BoundedHttp) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        sent = 0
        writer.write(b"GET / HTTP/1.1\r\nx: ")
        with suppress(ConnectionError):
            while sent < 80_000_000:
                writer.write(b"y" * 65_536)
                await writer.drain()
                sent += 65_536
        assert sent < 10_000_000
        writer.close()
        del reader


@pytest.mark.parametrize(
    "parts",
    [
        [b"GET / HTTP/1.1\r\nhost: x\r\n"],
        [b"GET / HTTP/1.1\r\n", *[b"x: y\r\n"] * 20],
        [request(b"connection: keep-alive"), b"\r\n", b"GET / HT"],
        [b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n123"],
    ],
    ids=["half a head", "a line at a time", "the second of a connection", "half a body"],
)
async def test_a_request_that_never_ends_is_given_up(port: int, parts: list[bytes]) -> None:
    said = await answer(port, *parts, pause=0.05)
    assert b"HTTP/1.1 408 " in said or said == b"reset"


async def test_a_connection_that_says_nothing_is_closed(port: int) -> None:
    assert await answer(port) == b""


async def test_a_body_that_keeps_coming_has_its_time(port: int) -> None:
    head = b"POST / HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 5120\r\n\r\n"
    said = await answer(port, head, *[b"x" * 512] * 10, pause=0.06)
    assert said.endswith(b"5120")


async def test_what_is_no_http_is_refused_as_before(port: int) -> None:
    assert (await answer(port, b"nonsense\r\n\r\n")).startswith(b"HTTP/1.1 400 ")
