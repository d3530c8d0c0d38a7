"""The API on a real port, served by uvicorn, and both clients behind one way to call them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import pytest

from backend_client import AsyncFareboxClient, FareboxClient
from tests.client.flaky import FlakyServer

Invoke = Callable[..., Awaitable[Any]]


class Caller:
    """Calls a client's method by name; the synchronous client's in a thread, off the loop."""

    def __init__(self, kind: type[FareboxClient] | type[AsyncFareboxClient]) -> None:
        self._kind = kind
        self._opened: list[FareboxClient | AsyncFareboxClient] = []

    def __call__(self, url: str, credential: str | None = None, **options: Any) -> Invoke:
        client = self._kind(url, credential, **options)
        self._opened.append(client)

        async def invoke(name: str, *arguments: Any, **named: Any) -> Any:
            method = getattr(client, name)
            if isinstance(client, FareboxClient):
                return await asyncio.to_thread(method, *arguments, **named)
            return await method(*arguments, **named)

        return invoke

    def stream(self, url: str, credential: str | None, **request: Any) -> Awaitable[list[Any]]:
        """All chunks of a streamed chat completion."""
        client = self._kind(url, credential)
        self._opened.append(client)
        if isinstance(client, FareboxClient):
            return asyncio.to_thread(lambda: list(client.chat_stream(**request)))

        async def collect() -> list[Any]:
            return [chunk async for chunk in client.chat_stream(**request)]

        return collect()

    def listed(self, url: str, credential: str, name: str) -> Awaitable[list[Any]]:
        """All items of a list that is fetched as it is come to."""
        client = self._kind(url, credential)
        self._opened.append(client)
        if isinstance(client, FareboxClient):
            return asyncio.to_thread(lambda: list(getattr(client, name)()))

        async def collect() -> list[Any]:
            return [item async for item in getattr(client, name)()]

        return collect()

    async def close(self) -> None:
        for client in self._opened:
            if isinstance(client, FareboxClient):
                client.close()
            else:
                await client.close()


@pytest.fixture(params=[FareboxClient, AsyncFareboxClient], ids=["sync", "async"])
async def client(request: pytest.FixtureRequest) -> AsyncIterator[Caller]:
    """Makes clients, of one kind and then of the other."""
    caller = Caller(request.param)
    yield caller
    await caller.close()


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
