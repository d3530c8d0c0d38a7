"""A call of the gateway as a route serves it, whichever protocol it is in."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

from fastapi import Request, Response
from fastapi.responses import StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from backend.accounts.principal import Principal
from backend.api.errors import CallerLeft
from backend.api.leaving import Watch, unless_left
from backend.gateway import costs
from backend.gateway.call import dropped_headers
from backend.gateway.gateway import Gateway
from backend.gateway.limits.key_limits import limit_headers
from backend.gateway.protocols.parts.base import Protocol
from backend.gateway.relay import KEEP_ALIVE, Relay

KEEP_ALIVE_SECONDS: Final = 15.0
"""Proxies close a connection that was silent for 30 to 60 seconds."""


async def serve(
    gateway: Gateway, caller: Principal, protocol: Protocol, request: Request
) -> Response:
    """Answer a call, at once or streamed; its usage is recorded in both cases."""
    call = await gateway.begin(caller, protocol, await request.body(), request.headers)
    request.state.event_id = call.event_id
    headers = dict(limit_headers(call.limited))
    if call.asked.stream:
        # Nothing was passed on yet, so that whoever leaves has nothing to pay for but the prompt
        watch = Watch(request.receive)
        try:
            relay = await watch.unless_left(gateway.open_stream(call), may_stop=lambda: True)
            return Streamed(relay, headers | dropped_headers(call), watch)
        except BaseException:
            watch.end()
            raise
    answering = gateway.answer(call)
    answered, media_type, cost = await unless_left(
        request.receive, answering, may_stop=lambda: call.stops_when_left
    )
    headers |= dropped_headers(call)
    if cost is not None:
        headers[costs.HEADER] = str(cost)
    return Response(answered, media_type=media_type, headers=headers)


class Streamed(StreamingResponse):
    """Closes the provider's answer even if the caller disconnects before or during it.

    While the provider is silent, a comment is sent every ``KEEP_ALIVE_SECONDS``. ``watch`` sees
    whether the caller leaves, and is ended here.
    """

    def __init__(self, relay: Relay, headers: Mapping[str, str], watch: Watch) -> None:
        super().__init__(
            relay.events,
            media_type=relay.media_type,
            headers={"x-accel-buffering": "no", **headers},
        )
        self._relay = relay
        self._watch = watch

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the answer (ASGI)."""
        try:
            # The framework's own way takes two tasks more, before the first byte
            with suppress(CallerLeft):
                await self._watch.unless_left(self.stream_response(send), may_stop=lambda: True)
        finally:
            self._watch.end()
            self._relay.abandon()

    async def stream_response(self, send: Send) -> None:
        """Send the answer, and comments into its silences."""
        sending = _Sending(send)
        await sending.send(
            {
                "type": "http.response.start",
                "status": self.status_code,
                "headers": self.raw_headers,
            }
        )
        if self._relay.is_events:
            sending.keep_alive()
        try:
            async for piece in self.body_iterator:
                await sending.send({"type": "http.response.body", "body": piece, "more_body": True})
        finally:
            await sending.end()
        if self._relay.is_cut:
            return  # without its end: the server closes the connection, which says so
        await sending.send({"type": "http.response.body", "body": b"", "more_body": False})


class _Sending:
    """Sends an answer's messages, and comments where none went for a while."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._loop = asyncio.get_running_loop()
        self._sent_at = self._loop.time()
        self._is_under_way = False
        self._timer: asyncio.TimerHandle | None = None
        """The next look at how long nothing was sent: no task, which few streams live to need."""
        self._comment: asyncio.Task[None] | None = None

    async def send(self, message: Message) -> None:
        """Send a message (ASGI)."""
        self._is_under_way = True
        try:
            await self._send(message)
        finally:
            self._is_under_way, self._sent_at = False, self._loop.time()

    def keep_alive(self) -> None:
        """Send comments from now on, until ``end``."""
        silent = self._loop.time() - self._sent_at
        if self._is_under_way:  # the caller reads slowly: it is not the provider that is silent
            silent = 0.0
        elif silent >= KEEP_ALIVE_SECONDS:
            self._comment, silent = asyncio.create_task(self._send_comment()), 0.0
        self._timer = self._loop.call_later(KEEP_ALIVE_SECONDS - silent, self.keep_alive)

    async def end(self) -> None:
        """Send no more comments."""
        if self._timer is not None:
            self._timer.cancel()
        if self._comment is not None and not self._comment.done():
            self._comment.cancel()
            await asyncio.wait({self._comment})

    async def _send_comment(self) -> None:
        body: Message = {"type": "http.response.body", "body": KEEP_ALIVE, "more_body": True}
        with suppress(OSError):  # the answer itself notices that the caller has gone
            await self.send(body)
