"""How many websockets a stranger may have, what it may send, and how long it may say nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from starlette.requests import HTTPConnection
from starlette.types import Message, Receive, Scope, Send

from portal.server.sockets import BURST, MOST_BYTES, BoundedSockets, visitor_of
from portal.server.visitors import (
    MOST_OF_A_SESSION,
    MOST_OF_A_STRANGER,
    MOST_STRANGERS,
    UNKNOWN_SESSIONS,
    VISITS,
    TooManyVisitors,
    Visitor,
    Visitors,
)
from portal.session.guard import Callers
from portal.settings import PortalSettings, portal_settings
from tests.support.flaky import FlakyServer, Reply

pytestmark = pytest.mark.fast


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[FlakyServer]:
    """An API that knows nobody, which the portal asks."""
    with FlakyServer() as server:
        server.replies = [Reply(401, b'{"title": "no", "status": 401, "code": "x"}')] * 200
        monkeypatch.setenv("FAREBOX_API_URL", server.url)
        portal_settings.cache_clear()
        yield server
    portal_settings.cache_clear()


@pytest.fixture
def visitors() -> Visitors:
    return Visitors(PortalSettings(), Callers())


def scope(address: str = "192.0.2.1", cookie: str = "") -> Scope:
    headers = [(b"cookie", f"farebox_session={cookie}".encode())] if cookie else []
    return {"type": "websocket", "client": (address, 1), "headers": headers, "path": "/_event"}


async def test_a_stranger_is_known_by_the_address(visitors: Visitors) -> None:
    visitor = await visitors.identify(HTTPConnection(scope("2001:db8::7")))
    assert visitor == Visitor("address 2001:db8::/64", "", signed_in=False)


async def test_a_cookie_that_the_api_does_not_know_makes_no_session(
    visitors: Visitors, api: FlakyServer
) -> None:
    owners = set()
    for number in range(2 * UNKNOWN_SESSIONS):
        visitor = await visitors.identify(HTTPConnection(scope(cookie=f"fbs_{number}")))
        assert not visitor.signed_in
        owners.add(visitor.owner)
    assert len(owners) == 2 * UNKNOWN_SESSIONS
    assert len(api.seen) <= UNKNOWN_SESSIONS + 3  # it is not asked as often as a stranger tries


def test_strangers_are_bounded_by_address_and_in_all(visitors: Visitors) -> None:
    with ExitStack() as stack:

        def fill(holder: str, most: int, *, signed_in: bool) -> int:
            visitor = Visitor(holder, "", signed_in)
            for number in range(most):
                try:
                    stack.enter_context(visitors.visit(visitor))
                except TooManyVisitors:
                    return number
            return most

        assert fill("address a", 1000, signed_in=False) == MOST_OF_A_STRANGER
        for name in "bcdefgh":
            fill(f"address {name}", 1000, signed_in=False)
        assert fill("address z", 1000, signed_in=False) == 0
        # Who is signed in still gets in
        assert fill("session s", 1000, signed_in=True) == MOST_OF_A_SESSION
    assert MOST_STRANGERS < 8 * MOST_OF_A_STRANGER
    with visitors.visit(Visitor("address a", "", signed_in=False)):
        pass


async def test_a_strangers_visits_are_slowed(visitors: Visitors) -> None:
    for _ in range(VISITS):
        await visitors.identify(HTTPConnection(scope()))
    with pytest.raises(TooManyVisitors):
        await visitors.identify(HTTPConnection(scope()))
    await visitors.identify(HTTPConnection(scope("192.0.2.2")))


class Socket:
    """A websocket of a test: what was received of it and sent to it."""

    def __init__(self, *messages: Message) -> None:
        self.messages = list(messages)
        self.received: list[Message] = []
        self.sent: list[Message] = []

    async def app(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert visitor_of(scope)
        while not self.received or self.received[-1]["type"] != "websocket.disconnect":
            self.received.append(await receive())

    async def receive(self) -> Message:
        if self.messages:
            return self.messages.pop(0)
        await asyncio.Event().wait()
        raise AssertionError

    async def send(self, message: Message) -> None:
        self.sent.append(message)

    async def open(self, visitors: Visitors, **options: Any) -> int:
        """How many messages the app got before the socket was closed."""
        await BoundedSockets(self.app, visitors, **options)(scope(), self.receive, self.send)
        return len(self.received) - 1


def text(content: str) -> Message:
    return {"type": "websocket.receive", "text": content}


async def test_a_stranger_that_says_nothing_is_left(visitors: Visitors) -> None:
    assert await Socket(*[text("3")] * 3).open(visitors, idle_seconds=0.05) == 3


async def test_a_strangers_messages_are_bounded_in_size_and_number(visitors: Visitors) -> None:
    # What is not bounded ends as idle, and has been received
    large = Socket(text("2"), text("x" * (MOST_BYTES + 1)))
    assert await large.open(visitors, idle_seconds=5) == 1
    count = await Socket(*[text("2")] * 1000).open(visitors, idle_seconds=5)
    assert BURST <= count < 2 * BURST


async def test_one_socket_too_many_is_not_opened(visitors: Visitors) -> None:
    with ExitStack() as stack:
        for _ in range(MOST_OF_A_STRANGER):
            stack.enter_context(visitors.visit(Visitor("address 192.0.2.1", "", signed_in=False)))
        socket = Socket({"type": "websocket.connect"})
        await BoundedSockets(socket.app, visitors)(scope(), socket.receive, socket.send)
    assert socket.sent == [{"type": "websocket.close", "code": 1013}]
    assert socket.received == []
