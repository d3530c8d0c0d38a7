"""Cross-origin requests (CORS, of the Fetch standard) to the routes of OpenAI's and Anthropic's.

A preflight has no key, so every one is answered alike, whatever page asks: it says nothing of any
key or tenant. The call itself is refused by its key, and that answer can be read by the page too,
or its script would see no more than that something failed. No cookie is ever taken here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from backend.gateway.protocols.routes import shape_of

PREFLIGHT_SECONDS: Final = 2 * 3600
"""How long a browser need not ask again; Chromium keeps no answer for longer."""
ANSWER: Final[Mapping[str, str]] = {
    "access-control-allow-origin": "*",
    "access-control-expose-headers": "*",
}
_PREFLIGHT: Final[Mapping[str, str]] = {
    "access-control-allow-origin": "*",
    "access-control-allow-methods": "GET, POST",
    # The star means every other header; browsers want this one by its name
    "access-control-allow-headers": "Authorization, *",
    "access-control-max-age": str(PREFLIGHT_SECONDS),
}


def answer_headers(scope: Scope) -> Mapping[str, str]:
    """Return the headers that let a page read the answer to its request; none for programs."""
    return ANSWER if _is_cross_origin(scope) else {}


def _is_cross_origin(scope: Scope) -> bool:
    return "origin" in Headers(scope=scope) and shape_of(scope["path"]) is not None


class CrossOrigin:
    """Answers preflights, and lets pages read every other answer, an error too."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request (ASGI)."""
        if scope["type"] != "http" or not _is_cross_origin(scope):
            await self._app(scope, receive, send)
            return
        if scope["method"] == "OPTIONS" and "access-control-request-method" in Headers(scope=scope):
            await Response(status_code=204, headers=_PREFLIGHT)(scope, receive, send)
            return

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(ANSWER)
            await send(message)

        await self._app(scope, receive, answer)
