"""Calls that readers try from the documentation: passed on to the API as they were made.

The policy of the portal's pages lets browsers call no other host. So the call comes here, and goes
on with the reader's own credential: the key that they wrote, or else their session. Nobody without
a session gets one through.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from typing import Final
from urllib.parse import unquote, urlsplit

import httpx
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from backend_client import ClientError, Unauthenticated
from backend_client.tls import tls_context
from portal.session.guard import callers, forwarded_for
from portal.settings import PortalSettings

log = logging.getLogger(__name__)

TARGET: Final = "scalar_url"
"""The query parameter with the address that is called, as Scalar names it."""
MOST_BYTES: Final = 1 << 20
METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE")
_SIGN_IN: Final = "Sign in to the portal to try calls from here."
_SENT: Final = ("accept", "content-type", "idempotency-key", "if-none-match", "authorization")
_ANSWERED: Final = (
    "content-type",
    "etag",
    "retry-after",
    "x-request-id",
    "x-ratelimit-limit-requests",
    "x-ratelimit-limit-tokens",
    "x-ratelimit-remaining-requests",
    "x-ratelimit-remaining-tokens",
)


class Calls:
    """Passes calls on to the API of ``settings``, and to no other address."""

    def __init__(self, settings: PortalSettings) -> None:
        self._settings = settings
        timeout = httpx.Timeout(10.0, read=120.0)
        self._client = httpx.AsyncClient(timeout=timeout, verify=tls_context())

    async def answer(self, request: Request) -> Response:
        """Return the API's answer as it comes in, or why there is none, as problem details."""
        token = request.cookies.get(self._settings.session_cookie, "")
        if not self._from_own_page(request):
            return _problem(403, "Calls are tried from the documentation's own pages.")
        address = self._address(request.query_params.get(TARGET, ""))
        if address is None:
            return _problem(422, "Only this API can be called from here.")
        if not token:
            return _problem(401, _SIGN_IN)
        whence = request.client.host if request.client else None
        try:
            await callers.find(token, address=whence)
        except Unauthenticated:
            return _problem(401, _SIGN_IN)
        except ClientError as problem:
            return _problem(502, str(problem))
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > MOST_BYTES:
                return _problem(413, "A call that is tried from here has at most 1 MiB.")
        headers = {name: request.headers[name] for name in _SENT if name in request.headers}
        if whence is not None:
            # For the API's audit, and so that it slows whoever guesses at keys from here
            headers |= forwarded_for(whence)
        if not headers.get("authorization", "").removeprefix("Bearer").strip():
            headers["authorization"] = f"Bearer {token}"
        sent = self._client.build_request(
            request.method, address, headers=headers, content=bytes(body)
        )
        try:
            answer = await self._client.send(sent, stream=True)
        except httpx.HTTPError as problem:
            log.warning("A call from the documentation did not reach the API: %r", problem)
            return _problem(502, "The API can't be reached.")
        kept = {name: answer.headers[name] for name in _ANSWERED if name in answer.headers}
        return _PassedOn(answer, kept)

    def _address(self, target: str) -> str | None:
        """Return where this server sends the call; None if the target is not the API."""
        shown = urlsplit(self._settings.shown_api_url)
        try:
            parts = urlsplit(target)
        except ValueError:
            return None
        path = parts.path.removeprefix(shown.path)
        same = (parts.scheme, parts.netloc) == (shown.scheme, shown.netloc)
        if not same or not path.startswith("/v1/") or "/../" in f"{unquote(path)}/":
            return None
        query = f"?{parts.query}" if parts.query else ""
        return f"{self._settings.api_url}{path}{query}"

    def _from_own_page(self, request: Request) -> bool:
        """Tell whether a page of the portal made the call; browsers say so of every fetch."""
        if request.headers.get("sec-fetch-site") == "same-origin":
            return True
        return request.headers.get("origin") in self._settings.origins


class _PassedOn(StreamingResponse):
    """The API's answer. Its connection is given back even if the reader left before a byte came."""

    def __init__(self, answer: httpx.Response, headers: dict[str, str]) -> None:
        super().__init__(_pieces(answer), answer.status_code, headers=headers)
        self._answer = answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it (ASGI)."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            await self._answer.aclose()


async def _pieces(answer: httpx.Response) -> AsyncIterator[bytes]:
    try:
        async for piece in answer.aiter_bytes():
            yield piece
    except httpx.HTTPError as problem:
        log.warning("The API's answer to a call from the documentation broke off: %r", problem)


def _problem(status: int, detail: str) -> Response:
    return JSONResponse(
        {"type": "about:blank", "status": status, "detail": detail},
        status,
        media_type="application/problem+json",
    )
