"""The API on a real port, served by uvicorn, and both clients behind one way to call them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Generator
from typing import Any

import httpx
import pytest

from backend_client import AsyncFareboxClient, FareboxClient, Profile
from tests.support.flaky import FlakyServer


class Pending:
    """A method of the synchronous client that was called: it runs in a thread, off the loop."""

    def __init__(self, call: Callable[[], Any]) -> None:
        self._call = call

    def __await__(self) -> Generator[Any, None, Any]:
        return asyncio.to_thread(self._call).__await__()

    def __getattr__(self, name: str) -> Callable[..., Pending]:
        return lambda *arguments: Pending(lambda: getattr(self._call(), name)(*arguments))

    async def __aiter__(self) -> AsyncIterator[Any]:
        for item in await asyncio.to_thread(lambda: list(self._call())):
            yield item


class Awaited:
    """The synchronous client, a resource or a method of it, called as the asynchronous one is."""

    def __init__(self, plain: Any) -> None:
        self._plain = plain

    def __getattr__(self, name: str) -> Awaited:
        return Awaited(getattr(self._plain, name))

    def __call__(self, *arguments: Any, **named: Any) -> Pending:
        return Pending(lambda: self._plain(*arguments, **named))

    def with_profile(self, profile: Profile) -> Awaited:
        return Awaited(self._plain.with_profile(profile))

    def with_raw_response(self, method: Awaited) -> Awaited:
        return Awaited(self._plain.with_raw_response(method._plain))


class Maker:
    """Makes clients of one kind; both are called as the asynchronous one is."""

    def __init__(self, kind: type[FareboxClient] | type[AsyncFareboxClient]) -> None:
        self._kind = kind
        self._opened: list[FareboxClient | AsyncFareboxClient] = []

    def __call__(self, url: str, credential: str | None = None, **options: Any) -> Any:
        client = self._kind(url, credential, **options)
        self._opened.append(client)
        return Awaited(client) if isinstance(client, FareboxClient) else client

    async def close(self) -> None:
        for client in self._opened:
            if isinstance(client, FareboxClient):
                client.close()
            else:
                await client.close()


@pytest.fixture(params=[FareboxClient, AsyncFareboxClient], ids=["sync", "async"])
async def client(request: pytest.FixtureRequest) -> AsyncIterator[Maker]:
    """Makes clients, of one kind and then of the other."""
    maker = Maker(request.param)
    yield maker
    await maker.close()


@pytest.fixture
def flaky() -> FlakyServer:
    """A server that answers as it is told; started by ``with``."""
    return FlakyServer()


@pytest.fixture
def token(session: dict[str, str]) -> str:
    """A session's token."""
    return session["authorization"].removeprefix("Bearer ")


@pytest.fixture
def operator_key(operator: dict[str, str]) -> str:
    return operator["authorization"].removeprefix("Bearer ")


@pytest.fixture
async def local_tenant(api: httpx.AsyncClient, session: dict[str, str]) -> dict[str, Any]:
    return dict((await api.get("/v1/me", headers=session)).json()["tenant"])
