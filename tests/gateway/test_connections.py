"""Connections to a provider: kept between calls, and ended or failed by name."""

from __future__ import annotations

import asyncio
import gzip
import ssl
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from backend.gateway.connections import pool as kept
from backend.gateway.connections.pool import Answer, Connections
from backend.kit.tls import provider_tls_context
from tests.support.flaky import FlakyServer, Reply
from tests.support.ports import free_port
from tests.support.waiting import until

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


class Counting:
    """A server of bare answers that says how many connections were made to it."""

    def __init__(self) -> None:
        self.made = 0
        self.open = 0
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def serve(self, tls: ssl.SSLContext | None = None) -> tuple[asyncio.Server, int]:
        server = await asyncio.start_server(self._answer, "127.0.0.1", 0, ssl=tls)
        return server, server.sockets[0].getsockname()[1]

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.made, self.open = self.made + 1, self.open + 1
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                await self.may_answer.wait()
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi")
        except (asyncio.IncompleteReadError, OSError):
            pass
        finally:
            self.open -= 1
            writer.close()


async def asked(connections: Connections, url: str) -> bytes:
    answer = await connections.post(url, {}, b"")
    try:
        return await body_of(answer)
    finally:
        await answer.aclose()


async def test_a_connection_is_kept_for_the_next_call_and_ended_when_it_was_idle(
    connections: Connections, monkeypatch: pytest.MonkeyPatch
) -> None:
    counting = Counting()
    server, port = await counting.serve()
    url = f"http://127.0.0.1:{port}/v1"
    for _ in range(3):
        assert await asked(connections, url) == b"hi"
    assert (counting.made, counting.open) == (1, 1)
    monkeypatch.setattr(kept, "_IDLE_SECONDS", 0.0)
    await asyncio.sleep(0.01)
    assert await asked(connections, url) == b"hi"  # by another: that was idle for too long
    assert counting.made == 2

    async def none_is_open() -> bool:
        return counting.open == 0

    await until(none_is_open)
    server.close()


async def test_of_more_calls_than_connections_each_waits_for_one_and_not_for_ever(
    connections: Connections, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept, "MOST_CONNECTIONS", 2)
    counting, other = Counting(), Counting()
    (server, port), (other_server, other_port) = await counting.serve(), await other.serve()
    url = f"http://127.0.0.1:{port}/v1"
    assert await asyncio.gather(*(asked(connections, url) for _ in range(10))) == [b"hi"] * 10
    assert counting.made == 2
    # Of another place: one that is idle makes room
    assert await asked(connections, f"http://127.0.0.1:{other_port}/v1") == b"hi"
    await connections.close()
    for each in (server, other_server):
        each.close()

    impatient = Connections(provider_tls_context(), connect_seconds=60)
    counting.may_answer.clear()
    server, port = await counting.serve()
    url = f"http://127.0.0.1:{port}/v1"
    waiting = [asyncio.create_task(impatient.post(url, {}, b"")) for _ in range(2)]

    async def both_are_made() -> bool:
        return counting.open == 2

    await until(both_are_made)
    monkeypatch.setattr(impatient, "_connect_seconds", 0.05)
    with pytest.raises(httpx.ConnectTimeout):
        await impatient.post(url, {}, b"")
    await impatient.close()
    assert {type(await settled(each)) for each in waiting} == {httpx.ReadError}
    server.close()


async def settled(task: asyncio.Task[Answer]) -> BaseException | None:
    await asyncio.wait({task})
    return task.exception()


async def test_a_provider_is_who_its_certificate_says(tmp_path: Path) -> None:
    own, trusted = certificate_for("localhost", tmp_path)
    counting = Counting()
    server, port = await counting.serve(own)
    believing = Connections(trusted, connect_seconds=30)
    assert await asked(believing, f"https://localhost:{port}/v1") == b"hi"
    with pytest.raises(httpx.ConnectError):
        await believing.post(f"https://127.0.0.1:{port}/v1", {}, b"")
    doubting = Connections(provider_tls_context(), connect_seconds=30)
    with pytest.raises(httpx.ConnectError):
        await doubting.post(f"https://localhost:{port}/v1", {}, b"")
    for each in (believing, doubting):
        await each.close()
    server.close()


def certificate_for(name: str, folder: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """What a server has that is called so, and what a client has that trusts it alone."""
    key = ec.generate_private_key(ec.SECP256R1())
    own_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(own_name)
        .issuer_name(own_name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = folder / "both.pem"
    pem.write_bytes(
        signed.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    own = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    own.load_cert_chain(pem)
    return own, ssl.create_default_context(cafile=str(pem))


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
