"""Calls that readers try: whose they are is passed on, and no connection is left behind."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
from starlette.requests import Request
from starlette.types import Message, Scope

from portal.documentation.calls import Calls
from portal.documentation.routes import Documentation
from portal.settings import SESSION_COOKIE, PortalSettings

pytestmark = pytest.mark.fast

API = "https://api.example.com"


class Answering(httpx.AsyncBaseTransport):
    """An API that answers everything alike."""

    def __init__(self, body: bytes = b"{}") -> None:
        self.seen: list[httpx.Request] = []
        self.closed = 0
        self._body = body

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.seen.append(request)
        return httpx.Response(200, stream=_Body(self))

    @property
    def body(self) -> bytes:
        return self._body


class _Body(httpx.AsyncByteStream):
    def __init__(self, api: Answering) -> None:
        self._api = api

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self._api.body

    async def aclose(self) -> None:
        self._api.closed += 1


class Everybody:
    """Sessions that are all good."""

    async def find(self, token: str, *, address: str | None = None) -> None:
        """Find whoever it is."""


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Answering:
    """The API that everything made from now on reaches."""
    answering = Answering(b'{"paths": {}, "tags": []}')
    real_client = httpx.AsyncClient

    def client(**options: object) -> httpx.AsyncClient:
        return real_client(transport=answering)

    monkeypatch.setattr(httpx, "AsyncClient", client)
    monkeypatch.setattr("portal.documentation.calls.callers", Everybody())
    return answering


def settings() -> PortalSettings:
    return PortalSettings(api_url=API, public_api_url=API)


def call(**headers: str) -> Scope:
    given = {"sec-fetch-site": "same-origin", "cookie": f"{SESSION_COOKIE}=fbs_own", **headers}
    return {
        "type": "http",
        "method": "GET",
        "path": "/docs/call",
        "query_string": f"scalar_url={API}/v1/models".encode(),
        "headers": [(name.encode(), value.encode()) for name, value in given.items()],
        "client": ("192.0.2.7", 40000),
        "asgi": {"version": "3.0", "spec_version": "2.3"},
    }


async def no_body() -> Message:
    return {"type": "http.request", "body": b"", "more_body": False}


async def test_the_api_is_told_who_calls_and_from_where(api: Answering) -> None:
    """Else every call would come from the portal, whose own calls the API never slows."""
    calls = Calls(settings())
    own = {"authorization": "Bearer fb_live_a-guess"}
    for headers in ({}, own, {"x-forwarded-for": "198.51.100.1"}):
        await calls.answer(Request(call(**headers), no_body))
    assert [sent.headers["authorization"] for sent in api.seen] == [
        "Bearer fbs_own",
        "Bearer fb_live_a-guess",
        "Bearer fbs_own",
    ]
    assert {sent.headers["x-forwarded-for"] for sent in api.seen} == {"192.0.2.7"}
    assert not any("cookie" in sent.headers for sent in api.seen)


@pytest.mark.parametrize("left", [False, True])
async def test_a_connection_is_given_back_though_the_reader_has_left(
    api: Answering, left: bool
) -> None:
    answer = await Calls(settings()).answer(Request(call(), no_body))
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.disconnect"} if left else await no_body()

    async def send(message: Message) -> None:
        if left:
            await asyncio.Event().wait()  # until who reads has taken what came before: never
        sent.append(message)

    scope = call() if left else {**call(), "asgi": {"version": "3.0", "spec_version": "2.4"}}
    await answer(scope, receive, send)
    assert api.closed
    assert left or b"".join(message.get("body", b"") for message in sent) == api.body


async def test_strangers_do_not_each_have_the_apis_document_read(api: Answering) -> None:
    documentation = Documentation(settings())
    scope = {**call(cookie="none=1"), "path": "/docs/search.json"}
    for _ in range(3):
        answer = await documentation.search(Request(scope, no_body))
        assert answer.status_code == 200
    assert len(api.seen) == 1
