"""Requests to Amberflo: paced, with its key, and its refusals told apart."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any, Final

import httpx
from pydantic import SecretStr

from backend.kit.tls import tls_context
from backend.outbox.channels.channel import NotDelivered, one_line
from backend.platforms.adapter import Refused
from backend.platforms.amberflo.mapping import Json
from backend.platforms.rates import Pace

_TIMEOUT = httpx.Timeout(30.0, connect=5.0)
_CONNECTIONS = httpx.Limits(max_connections=20, max_keepalive_connections=10)
_SIGN_IN_WAIT: Final = timedelta(minutes=5)
_SHOWN: Final = 300
_JSON: Final = {"content-type": "application/json", "accept": "application/json"}
_ABSENT: Final = str(httpx.codes.NOT_FOUND.value)
_INGESTED: Final = re.compile(r"(\d+) records? (?:was|were) ingested")


class AmberfloCalls:
    """Sends requests. Errors are ``NotDelivered`` and its kinds, and hold no credential."""

    def __init__(self, url: str, ingest_url: str, key: SecretStr, pace: Pace) -> None:
        self._url = url.rstrip("/")
        self._ingest_url = ingest_url.rstrip("/")
        self._key = key
        self._pace = pace
        self._http = httpx.AsyncClient(
            timeout=_TIMEOUT,
            limits=_CONNECTIONS,
            headers={"user-agent": "farebox/1"},
            verify=tls_context(),
        )

    async def get(self, path: str, query: Mapping[str, str] | None = None) -> Any:
        """Read something; None or empty where Amberflo has nothing."""
        try:
            return _body(await self._answer("GET", f"{self._url}{path}", query=query))
        except Refused as refusal:
            if refusal.code == _ABSENT:
                return None
            raise

    async def post(self, path: str, body: Json) -> Any:
        """Make something, or ask a question that needs a body."""
        return await self.send("POST", path, body)

    async def send(self, method: str, path: str, body: Json) -> Any:
        """Make or replace something."""
        return _body(
            await self._answer(method, f"{self._url}{path}", json.dumps(body).encode(), _JSON)
        )

    async def ingest(self, events: Sequence[Json]) -> int:
        """Send events; return how many Amberflo says that it took."""
        content = gzip.compress(json.dumps(events).encode())
        headers = _JSON | {"content-encoding": "gzip"}
        answer = await self._answer("POST", f"{self._ingest_url}/ingest/", content, headers)
        match = _INGESTED.search(answer.text)
        return len(events) if match is None else int(match[1])

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def _answer(
        self,
        method: str,
        url: str,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        await self._pace.take()
        sent = dict(headers or {}) | {"x-api-key": self._key.get_secret_value()}
        try:
            answer = await self._http.request(
                method, url, content=content, headers=sent, params=query
            )
        except httpx.TransportError as error:
            what = f"{type(error).__name__}: {error}".rstrip(": ")
            raise NotDelivered(f"Amberflo can't be reached ({what}).") from error
        if answer.is_success:
            return answer
        if answer.status_code == httpx.codes.TOO_MANY_REQUESTS:
            raise await self._pace.back_off(answer)
        raise _refusal(answer)


def _body(answer: httpx.Response) -> Any:
    if not answer.content:
        return None
    try:
        return json.loads(answer.content, parse_float=Decimal)
    except ValueError:
        raise NotDelivered("Amberflo's answer is no JSON.") from None


def _refusal(answer: httpx.Response) -> NotDelivered:
    status, reason = answer.status_code, one_line(_reason(answer), _SHOWN)
    sentence = f"Amberflo answered {status}{f': {reason}' if reason else ''}"
    if status in {httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN}:
        return NotDelivered(sentence, wait=_SIGN_IN_WAIT)
    # A redirection is not followed: the key is for Amberflo alone
    judged = httpx.codes.is_client_error(status) and status != httpx.codes.REQUEST_TIMEOUT
    return Refused(sentence, str(status)) if judged else NotDelivered(sentence)


def _reason(answer: httpx.Response) -> str:
    """Return why: a field of an object, or the text that Amberflo's client shows as it is."""
    try:
        document = json.loads(answer.content)
    except ValueError:
        return answer.text
    if isinstance(document, dict):
        return str(document.get("errorMessage") or document.get("message") or document)
    return str(document)
