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
from backend.api.leaving import unless_left
from backend.gateway import costs
from backend.gateway.call import dropped_headers
from backend.gateway.gateway import Gateway
from backend.gateway.limits import limit_headers
from backend.gateway.protocols.base import Protocol
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
        opening = gateway.open_stream(call)
        relay = await unless_left(request.receive, opening, may_stop=lambda: True)
        return Streamed(relay, headers | dropped_headers(call))
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

    While the provider is silent, a comment is sent every ``KEEP_ALIVE_SECONDS``.
    """

    def __init__(self, relay: Relay, headers: Mapping[str, str]) -> None:
        super().__init__(
            relay.events,
            media_type=relay.media_type,
            headers={"x-accel-buffering": "no", **headers},
        )
        self._relay = relay

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the answer (ASGI)."""
        try:
            # The framework's own way takes two tasks more, before the first byte
            with suppress(CallerLeft):
                await unless_left(receive, self.stream_response(send), may_stop=lambda: True)
        finally:
            self._relay.abandon()

    async def stream_response(self, send: Send) -> None:
        """Send the answer, and comments into its silences."""
        loop = asyncio.get_running_loop()
        sent_at = loop.time()
        under_way = False

        async def noted(message: Message) -> None:
            nonlocal sent_at, under_way
            under_way = True
            try:
                await send(message)
            finally:
                under_way, sent_at = False, loop.time()

        async def keep_alive() -> None:
            while True:
                silent = loop.time() - sent_at
                if silent < KEEP_ALIVE_SECONDS:
                    await asyncio.sleep(KEEP_ALIVE_SECONDS - silent)
                elif under_way:  # the caller reads slowly: it is not the provider that is silent
                    await asyncio.sleep(KEEP_ALIVE_SECONDS)
                else:
                    body: Message = {"type": "http.response.body", "body": KEEP_ALIVE}
                    with suppress(OSError):  # the answer itself notices that the caller has gone
                        await noted({**body, "more_body": True})

        await noted(
            {
                "type": "http.response.start",
                "status": self.status_code,
                "headers": self.raw_headers,
            }
        )
        keeping = asyncio.create_task(keep_alive()) if self._relay.is_events else None
        try:
            async for piece in self.body_iterator:
                await noted({"type": "http.response.body", "body": piece, "more_body": True})
        finally:
            if keeping is not None:
                keeping.cancel()
                await asyncio.wait({keeping})
        if self._relay.is_cut:
            return  # without its end: the server closes the connection, which says so
        await noted({"type": "http.response.body", "body": b"", "more_body": False})
