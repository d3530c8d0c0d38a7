"""Bounds on websockets: how many, how much a stranger may send, and for how long it may idle."""

from __future__ import annotations

import asyncio
import time

from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from edge.attempts import Attempts
from portal.server.visitors import TooManyVisitors, Visitor, Visitors

VISITOR = "farebox_visitor"
"""The member of a websocket's scope that says who opened it."""
MOST_BYTES = 64 * 1024
"""Of a stranger's message; the server bounds everybody's."""
BURST = 100
"""Messages that a stranger may send at once; then five a second."""
IDLE_SECONDS = 900.0
"""How long a stranger's websocket stays without a message."""
_PONG = "3"
"""What an idle browser sends by itself (Engine.IO)."""


class BoundedSockets:
    """Refuses websockets beyond the bounds, and closes a stranger's that goes beyond them later."""

    def __init__(
        self, app: ASGIApp, visitors: Visitors, *, idle_seconds: float = IDLE_SECONDS
    ) -> None:
        self._app = app
        self._visitors = visitors
        self._idle_seconds = idle_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection (ASGI)."""
        if scope["type"] != "websocket":
            await self._app(scope, receive, send)
            return
        try:
            visitor = await self._visitors.identify(HTTPConnection(scope))
            with self._visitors.visit(visitor):
                scope[VISITOR] = visitor
                bounded = receive if visitor.signed_in else self._bounded(receive)
                await self._app(scope, bounded, send)
        except TooManyVisitors:
            await receive()  # the request to connect
            await send({"type": "websocket.close", "code": 1013})

    def _bounded(self, receive: Receive) -> Receive:
        """What a stranger sends, to the first message that is too large, too soon or too late."""
        attempts = Attempts(burst=BURST, every_seconds=0.2, most=1)
        last = time.monotonic()
        ended: Message = {"type": "websocket.disconnect", "code": 1008}

        async def bounded() -> Message:
            nonlocal last
            try:
                async with asyncio.timeout(max(0.0, last + self._idle_seconds - time.monotonic())):
                    message = await receive()
            except TimeoutError:
                return ended
            content = message.get("text") or message.get("bytes") or ""
            if len(content) > MOST_BYTES or attempts.wait_seconds(""):
                return ended
            attempts.count("")
            if content != _PONG:
                last = time.monotonic()
            return message

        return bounded


def visitor_of(scope: Scope) -> Visitor:
    """Return who opened the websocket of a scope that came through :class:`BoundedSockets`."""
    visitor: Visitor = scope[VISITOR]
    return visitor
