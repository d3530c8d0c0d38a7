"""The webhook channel, to the operator's endpoint, signed as Standard Webhooks 1.0 says."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Final

import httpx

from backend.kit.retry_after import asked_wait
from backend.kit.tls import tls_context
from backend.outbox.channels.channel import NotDelivered, one_line
from backend_client.types.notifications import ChannelName, NotificationEvent

TIMEOUT_SECONDS: Final = 20.0
_CONNECT_SECONDS = 5.0
_READING_SECONDS = 2.0
_MOST_ANSWER_BYTES = 16 * 1024
_SHOWN_CHARACTERS = 200


class Webhook:
    """Posts each event as JSON. Redirects are not followed; 410 is final."""

    name = ChannelName.WEBHOOK
    at_once = 8

    def __init__(
        self, url: str, secrets: Sequence[bytes], *, timeout_seconds: float = TIMEOUT_SECONDS
    ) -> None:
        self._url = url
        self._secrets = secrets
        self._timeout = timeout_seconds
        self._http = httpx.AsyncClient(
            timeout=httpx.Timeout(timeout_seconds, connect=_CONNECT_SECONDS),
            headers={"user-agent": "farebox-webhooks/1", "accept-encoding": "identity"},
            follow_redirects=False,
            verify=tls_context(),
        )

    def wants(self, event: NotificationEvent) -> bool:
        """Return True: the operator gets every event."""
        return True

    async def send(self, event: NotificationEvent) -> None:
        """Post an event; raise ``NotDelivered`` unless it is answered with 2xx."""
        body = event.model_dump_json().encode()
        headers = {
            "content-type": "application/json",
            **signed_headers(self._secrets, event.id, body),
        }
        try:
            async with (
                asyncio.timeout(self._timeout),
                self._http.stream("POST", self._url, content=body, headers=headers) as answer,
            ):
                text = await beginning(answer, _SHOWN_CHARACTERS)
        except TimeoutError:
            raise NotDelivered(f"The endpoint did not answer in {self._timeout:g} s.") from None
        except httpx.TransportError as error:
            what = f"{type(error).__name__}: {error}".rstrip(": ")
            raise NotDelivered(f"The endpoint can't be reached ({what}).") from error
        if not answer.is_success:
            raise NotDelivered(
                f"The endpoint answered {answer.status_code}{f': {text}' if text else ''}",
                final=answer.status_code == httpx.codes.GONE,
                wait=asked_wait(answer.headers.get("retry-after"), datetime.now(UTC)),
            )

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()


def signed_headers(secrets: Sequence[bytes], event_id: str, body: bytes) -> dict[str, str]:
    """Return the headers of Standard Webhooks, with a signature by each secret, made now."""
    at = int(time.time())
    return {
        "webhook-id": event_id,
        "webhook-timestamp": str(at),
        "webhook-signature": " ".join(signature(secret, event_id, at, body) for secret in secrets),
    }


def signature(secret: bytes, event_id: str, at: int, body: bytes) -> str:
    """Sign a body that is sent at a Unix time: ``v1,`` and an HMAC-SHA256 in base64."""
    signed = f"{event_id}.{at}.".encode() + body
    return f"v1,{base64.b64encode(hmac.digest(secret, signed, hashlib.sha256)).decode()}"


async def beginning(answer: httpx.Response, characters: int) -> str:
    """Return the beginning of an answer, on one line. A bounded number of bytes is read."""
    taken = b""
    # The status has arrived; the body is for information only.
    with suppress(httpx.TransportError, TimeoutError):
        async with asyncio.timeout(_READING_SECONDS):
            async for part in answer.aiter_raw():
                taken += part
                if len(taken) > _MOST_ANSWER_BYTES:
                    break
    return one_line(taken.decode(errors="replace"), characters)
