"""Requests to Orb: paced, signed in, and their refusals told apart."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

import httpx
from pydantic import SecretStr

from backend.kit.tls import tls_context
from backend.outbox.channels.channel import NotDelivered, one_line
from backend.platforms.adapter import Refused
from backend.platforms.rates import Pace

_TIMEOUT = httpx.Timeout(30.0, connect=5.0)
_CONNECTIONS = httpx.Limits(max_connections=20, max_keepalive_connections=10)
_SIGN_IN_WAIT: Final = timedelta(minutes=5)
_SHORT_WAIT: Final = timedelta(seconds=2)
_SHOWN: Final = 300
_PAGE: Final = 100

Json = dict[str, Any]
Query = Mapping[str, str | int | Sequence[str]]

DUPLICATE: Final = "400-duplicate-resource-creation"
NOT_THERE: Final = "404-resource-not-found"


class RefusedEvents(Refused):
    """Orb takes none of a request's events, since some are at fault: ``faults`` by their keys.

    The others can be sent again: their keys are not used up.
    """

    def __init__(self, reason: str, code: str, faults: Mapping[str, str]) -> None:
        super().__init__(reason, code)
        self.faults = faults


class OrbCalls:
    """Sends requests. Errors are ``NotDelivered`` and its kinds, and hold no credential."""

    def __init__(self, url: str, key: SecretStr, pace: Pace) -> None:
        self._url = url.rstrip("/") + "/v1"
        self._key = key
        self._pace = pace
        self._http = httpx.AsyncClient(
            timeout=_TIMEOUT,
            limits=_CONNECTIONS,
            headers={"user-agent": "farebox/1"},
            verify=tls_context(),
        )

    async def get(self, path: str, query: Query | None = None) -> Json:
        """Read an object or a page of a list."""
        return await self._answer("GET", path, query=query)

    async def all(self, path: str, query: Query | None = None) -> AsyncIterator[Json]:
        """Read a whole list, page by page."""
        cursor: str | None = None
        while True:
            asked: dict[str, Any] = {**(query or {}), "limit": _PAGE}
            if cursor is not None:
                asked["cursor"] = cursor
            page = await self.get(path, asked)
            for item in page["data"]:
                yield item
            cursor = page["pagination_metadata"]["next_cursor"]
            if cursor is None:
                return

    async def ask(self, path: str, body: Mapping[str, Any]) -> Json:
        """Read what takes a body to ask for; nothing changes."""
        return await self._answer("POST", path, body=body)

    async def post(
        self, path: str, body: Mapping[str, Any] | None = None, *, query: Query | None = None
    ) -> Json:
        """Create something, or do something with it."""
        return await self._answer("POST", path, query=query, body=body)

    async def put(self, path: str, body: Mapping[str, Any] | None = None) -> Json:
        """Change something; repeating it changes nothing more."""
        return await self._answer("PUT", path, body=body)

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def _answer(
        self,
        method: str,
        path: str,
        *,
        query: Query | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> Json:
        await self._pace.take()
        headers = {"authorization": f"Bearer {self._key.get_secret_value()}"}
        content = None
        if body is not None:
            content = json.dumps(body).encode()
            headers["content-type"] = "application/json"
        try:
            answer = await self._http.request(
                method, f"{self._url}{path}", params=query, content=content, headers=headers
            )
        except httpx.TransportError as error:
            what = f"{type(error).__name__}: {error}".rstrip(": ")
            raise NotDelivered(f"Orb can't be reached ({what}).") from error
        if answer.is_success:
            return _body(answer)
        if answer.status_code == httpx.codes.TOO_MANY_REQUESTS:
            raise await self._pace.back_off(answer)
        raise _refusal(answer)


def _body(answer: httpx.Response) -> Json:
    try:
        body = answer.json() if answer.content else {}
    except ValueError:
        raise NotDelivered("Orb's answer is no JSON.") from None
    return body if isinstance(body, dict) else {}


def _refusal(answer: httpx.Response) -> NotDelivered:
    status = answer.status_code
    try:
        problem = answer.json()
        faults = _faults(problem.get("validation_failed") or ())
        reasons = [problem.get("detail") or problem.get("title"), *faults.values()]
        if not faults:
            reasons += [str(fault) for fault in problem.get("validation_errors") or ()]
        reason = one_line("; ".join(str(part) for part in reasons if part), _SHOWN)
        code = str(problem.get("type") or "").rpartition("#")[2]
    except (ValueError, TypeError, AttributeError):
        reason, code, faults = "", "", {}
    text = f"Orb answered {status}{f': {reason}' if reason else ''}"
    if status in {httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN}:
        return NotDelivered(text, wait=_SIGN_IN_WAIT)
    if status == httpx.codes.CONFLICT:
        return NotDelivered(text, wait=_SHORT_WAIT)
    again = answer.headers.get("x-should-retry") == "true"
    if status >= httpx.codes.INTERNAL_SERVER_ERROR or again:
        return NotDelivered(text)
    return RefusedEvents(text, code, faults) if faults else Refused(text, code)


def _faults(failed: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    return {
        str(fault["idempotency_key"]): one_line(
            "; ".join(map(str, fault["validation_errors"])), 200
        )
        for fault in failed
    }
