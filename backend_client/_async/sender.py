"""Sends calls: once, again after a failure that may pass, or as a stream."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import TypeVar

import httpx

from backend_client._version import __version__
from backend_client.calls import Call
from backend_client.errors import ClientError, error_of, unreachable
from backend_client.profiles import Profile
from backend_client.responses import record
from backend_client.tls import tls_context

Answer = TypeVar("Answer")


def open_connections(
    base_url: str, credential: str | None, transport: httpx.AsyncBaseTransport | None
) -> httpx.AsyncClient:
    """Make the connection pool that a client's requests share."""
    # Bytes, so that a credential that can't be one is refused by the API and not by the encoder.
    headers = [
        (b"accept", b"application/json"),
        (b"user-agent", f"farebox-client/{__version__}".encode()),
    ]
    if credential:
        headers.append((b"authorization", f"Bearer {credential}".encode()))
    return httpx.AsyncClient(
        base_url=base_url,
        headers=httpx.Headers(headers),
        transport=transport,
        verify=tls_context(),
    )


class AsyncSender:
    """Sends calls over a pool of connections, as patiently as its profile says."""

    def __init__(
        self, http: httpx.AsyncClient, profile: Profile, headers: Mapping[str, str] | None = None
    ) -> None:
        self.http = http
        self.profile = profile
        self.headers = headers or {}

    async def send(self, call: Call[Answer]) -> Answer:
        """Send a call and read its answer.

        Raises:
            ApiError: the API refused it.
            Unavailable: the API failed or can't be reached, also at the last retry.
            UnexpectedAnswer: what answered is not the API.
        """
        retries = self.profile.retries
        for attempt in itertools.count():
            response: httpx.Response | None = None
            failure: ClientError
            cause: httpx.RequestError | None
            try:
                response = await self.http.request(
                    call.method,
                    call.path,
                    params=call.params,
                    headers={**self.headers, **call.headers},
                    content=call.content,
                    timeout=self.profile.timeout,
                )
            except httpx.RequestError as error:
                failure, cause = unreachable(error), error
            else:
                if response.is_success or response.status_code == httpx.codes.NOT_MODIFIED:
                    record(response)
                    return call.answer(response)
                failure, cause = error_of(response), None
            pause = retries.pause(attempt, response) if call.repeatable else None
            if pause is None:
                raise failure from cause
            await asyncio.sleep(pause)
        raise AssertionError("counting has no end")

    @asynccontextmanager
    async def stream(
        self, call: Call[Answer], within: httpx.Timeout
    ) -> AsyncIterator[httpx.Response]:
        """Send a call once, and lend its answer while it comes in.

        Raises:
            ApiError: the API refused it.
            Unavailable: the API failed, can't be reached, or the connection broke.
        """
        try:
            async with self.http.stream(
                call.method,
                call.path,
                params=call.params,
                headers={**self.headers, **call.headers},
                content=call.content,
                timeout=within,
            ) as response:
                if not response.is_success:
                    await response.aread()
                    raise error_of(response)
                yield response
        except httpx.RequestError as error:
            raise unreachable(error) from error
