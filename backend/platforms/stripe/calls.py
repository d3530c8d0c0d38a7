"""Requests to Stripe: paced, signed in, and their refusals told apart."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from typing import Any, Final

import httpx
from pydantic import SecretStr

from backend.kit.tls import tls_context
from backend.outbox.channels.channel import NotDelivered, one_line
from backend.platforms.adapter import AnswerSpoiled, Refused
from backend.platforms.rates import Pace
from backend.platforms.stripe.forms import Form, encode

API_VERSION: Final = "2026-05-27.dahlia"
"""The version of Stripe's API whose published description the tests check every request against."""

STRIPE_URL: Final = "https://api.stripe.com"
_METER_URL: Final = "https://meter-events.stripe.com"
_TIMEOUT = httpx.Timeout(30.0, connect=5.0)
_CONNECTIONS = httpx.Limits(max_connections=20, max_keepalive_connections=10)
_SIGN_IN_WAIT: Final = timedelta(minutes=5)
_SHORT_WAIT: Final = timedelta(seconds=2)
_SHOWN: Final = 300
_PAGE: Final = 100

Json = dict[str, Any]


class StripeCalls:
    """Sends requests. Errors are ``NotDelivered`` and its kinds, and hold no credential."""

    def __init__(self, url: str, key: SecretStr, pace: Pace, usage_pace: Pace) -> None:
        self._url = url.rstrip("/")
        # The stream has a host of its own; a stand-in for Stripe serves both
        self._meter_url = _METER_URL if self._url == STRIPE_URL else self._url
        self._key = key
        self._pace = pace
        self._usage_pace = usage_pace
        self._http = httpx.AsyncClient(
            timeout=_TIMEOUT,
            limits=_CONNECTIONS,
            headers={"user-agent": "farebox/1"},
            verify=tls_context(),
        )

    async def get(self, path: str, form: Form | None = None) -> Json:
        """Read an object or a page of a list."""
        query = f"?{encode(form)}" if form else ""
        return _body(await self._answer("GET", f"{self._url}{path}{query}", self._pace))

    async def all(self, path: str, form: Form | None = None) -> AsyncIterator[Json]:
        """Read a whole list, page by page."""
        after: str | None = None
        while True:
            page = await self.get(path, {**(form or {}), "limit": _PAGE, "starting_after": after})
            for item in page["data"]:
                yield item
            if not page["has_more"]:
                return
            after = page["data"][-1]["id"]

    async def post(self, path: str, form: Form, key: str | None) -> Json:
        """Create or change something; ``key`` makes a repetition the same act."""
        body, _ = await self.create(path, form, key)
        return body

    async def create(self, path: str, form: Form, key: str | None) -> tuple[Json, bool]:
        """Create something; tell too whether it is new, and no answer that Stripe had kept."""
        headers = {"content-type": "application/x-www-form-urlencoded"}
        answer = await self._answer(
            "POST", f"{self._url}{path}", self._pace, encode(form), headers, key
        )
        return _body(answer), answer.headers.get("idempotent-replayed") != "true"

    async def delete(self, path: str, form: Form | None = None) -> Json:
        """Delete or end something."""
        query = f"?{encode(form)}" if form else ""
        return _body(await self._answer("DELETE", f"{self._url}{path}{query}", self._pace))

    async def post_usage(self, form: Form) -> Json:
        """Send a meter event: its identifier makes a repetition known."""
        headers = {"content-type": "application/x-www-form-urlencoded"}
        path = f"{self._url}/v1/billing/meter_events"
        return _body(await self._answer("POST", path, self._usage_pace, encode(form), headers))

    async def post_json(
        self, path: str, body: Mapping[str, Any], *, token: str | None = None
    ) -> Json:
        """Send to v2 of the API; with a session's ``token`` to the stream of meter events."""
        base = self._url if token is None else self._meter_url
        credential = None if token is None else SecretStr(token)
        content = httpx.Request("POST", base, json=body).content
        headers = {"content-type": "application/json"}
        answer = await self._answer(
            "POST", f"{base}{path}", self._usage_pace, content, headers, credential=credential
        )
        return _body(answer)

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def _answer(
        self,
        method: str,
        url: str,
        pace: Pace,
        content: str | bytes | None = None,
        headers: Mapping[str, str] | None = None,
        key: str | None = None,
        credential: SecretStr | None = None,
    ) -> httpx.Response:
        await pace.take()
        sent = dict(headers or {}) | {
            "authorization": f"Bearer {(credential or self._key).get_secret_value()}",
            "stripe-version": API_VERSION,
        }
        if key is not None:
            sent["idempotency-key"] = key
        try:
            answer = await self._http.request(method, url, content=content, headers=sent)
        except httpx.TransportError as error:
            what = f"{type(error).__name__}: {error}".rstrip(": ")
            raise NotDelivered(f"Stripe can't be reached ({what}).") from error
        if answer.is_success:
            return answer
        if answer.status_code == httpx.codes.TOO_MANY_REQUESTS:
            raise await pace.back_off(answer)
        raise _refusal(answer, keyed=key is not None)


async def find_own(calls: StripeCalls, path: str, query: Form, own_id: str) -> str | None:
    """Look one of our documents up in a list, which unlike the search never lags."""
    async for item in calls.all(path, query):
        if item["metadata"].get("farebox_id") == own_id:
            return str(item["id"])
    return None


def _body(answer: httpx.Response) -> Json:
    try:
        body = answer.json() if answer.content else {}
    except ValueError:
        raise NotDelivered("Stripe's answer is no JSON.") from None
    return body if isinstance(body, dict) else {}


def _refusal(answer: httpx.Response, *, keyed: bool) -> NotDelivered:
    status = answer.status_code
    try:
        error = answer.json()["error"]
        reason = one_line(str(error.get("message") or error.get("code") or ""), _SHOWN)
        kind, code = str(error.get("type") or ""), str(error.get("code") or "")
    except (ValueError, KeyError, TypeError, AttributeError):
        reason, kind, code = "", "", ""
    sentence = f"Stripe answered {status}{f': {reason}' if reason else ''}"
    if status in {httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN}:
        return NotDelivered(sentence, wait=_SIGN_IN_WAIT)
    if kind == "idempotency_error":
        return AnswerSpoiled(sentence, wait=_SHORT_WAIT)
    if status == httpx.codes.CONFLICT or code in {"lock_timeout", "idempotency_key_in_use"}:
        return NotDelivered(sentence, wait=_SHORT_WAIT)
    if status >= httpx.codes.INTERNAL_SERVER_ERROR:
        # Stripe keeps this answer for the key, and gives it again for a day
        return AnswerSpoiled(sentence) if keyed else NotDelivered(sentence)
    return Refused(sentence, code or kind)
