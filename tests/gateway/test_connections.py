"""Connections to a provider: kept between calls, and ended or failed by name."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest

from backend.gateway.connections import Answer, Connections
from backend.kit.tls import provider_tls_context
from tests.support.flaky import FlakyServer, Reply
from tests.support.ports import free_port

pytestmark = pytest.mark.slow


@pytest.fixture
def provider() -> Iterator[FlakyServer]:
    with FlakyServer() as serving:
        yield serving


@pytest.fixture
async def connections() -> AsyncIterator[Connections]:
    connections = Connections(provider_tls_context(), connect_seconds=30)
    yield connections
    await connections.close()


async def body_of(answer: Answer) -> bytes:
    return b"".join([piece async for piece in answer.aiter_bytes()])


async def test_only_what_is_given_is_sent(connections: Connections, provider: FlakyServer) -> None:
    provider.replies = [Reply(body=b"hello")]
    answer = await connections.post(f"{provider.url}/v1/x", {"authorization": "Bearer k"}, b"{}")
    assert (answer.status_code, await body_of(answer)) == (200, b"hello")
    await answer.aclose()
    (seen,) = provider.seen
    assert (seen.method, seen.path, seen.body) == ("POST", "/v1/x", b"{}")
    assert set(seen.headers) <= {"host", "authorization", "content-length", "content-type"}


async def test_a_redirect_is_an_answer(connections: Connections, provider: FlakyServer) -> None:
    provider.replies = [Reply(307, headers={"location": "http://127.0.0.1:1/elsewhere"})]
    answer = await connections.post(provider.url, {}, b"{}")
    assert (answer.status_code, len(provider.seen)) == (307, 1)
    await answer.aclose()


async def test_a_compressed_answer_is_read(connections: Connections, provider: FlakyServer) -> None:
    body = b"a word " * 50_000
    provider.replies = [Reply(body=gzip.compress(body), headers={"content-encoding": "gzip"})]
    answer = await connections.post(provider.url, {}, b"{}")
    assert await body_of(answer) == body
    await answer.aclose()


async def test_failures_are_told_by_httpxs_errors(
    connections: Connections, provider: FlakyServer
) -> None:
    with pytest.raises(httpx.ConnectError):
        await connections.post(f"http://127.0.0.1:{free_port()}", {}, b"{}")
    provider.replies = [Reply(drops=True), Reply(body=b"hello", cut=2)]
    with pytest.raises(httpx.RemoteProtocolError):
        await connections.post(provider.url, {}, b"{}")
    answer = await connections.post(provider.url, {}, b"{}")
    with pytest.raises(httpx.RemoteProtocolError):
        await body_of(answer)
    await answer.aclose()


async def test_a_header_that_can_not_be_sent_is_such_a_failure_too(
    connections: Connections, provider: FlakyServer
) -> None:
    with pytest.raises(httpx.HTTPError) as raised:
        await connections.post(provider.url, {"authorization": "Bearer a-key\n"}, b"{}")
    assert "a-key" not in str(raised.value)


async def test_connections_that_were_closed_meanwhile_are_as_none(
    connections: Connections, provider: FlakyServer
) -> None:
    provider.replies = [Reply(body=b"hello")]
    answer = await connections.post(provider.url, {}, b"{}")
    assert await body_of(answer) == b"hello"
    await answer.aclose()
    await connections.close()
    with pytest.raises(httpx.ConnectError):
        await connections.post(provider.url, {}, b"{}")
