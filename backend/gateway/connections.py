"""Connections to providers: kept, reused, and lean.

httpx's own transport takes ten times the processor's time of aiohttp's for the same request, which
was more than half of what a call cost. Its errors and its names of an answer's parts stay: whoever
calls a provider needs no others.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Final

import aiohttp
import httpx

_MOST_CONNECTIONS: Final = 1_000
_IDLE_SECONDS: Final = 4.0
"""Providers, and the proxies before them, keep idle connections for longer than this: uvicorn, by
which vLLM and others serve, for 5 seconds."""
_READ_BYTES: Final = 256 * 1024
"""What may wait to be read before the provider is made to wait."""
_LAST_CHUNK_SECONDS: Final = 0.02
_HEAD_BYTES: Final = 64 * 1024
"""The longest header of an answer."""


class Answer:
    """A provider's answer, whose head has come. ``aclose`` it in every case.

    ``headers`` are named in any case; of several of one name, the first counts.
    """

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response
        self.status_code: int = response.status
        self.headers: Mapping[str, str] = response.headers

    @property
    def is_success(self) -> bool:
        """Whether the status is one of success: 2xx."""
        return 200 <= self.status_code < 300

    async def aiter_bytes(self) -> AsyncIterator[bytes]:
        """Yield the body in the pieces in which it comes; raises httpx's errors."""
        content = self._response.content
        with _told_by_httpx():
            while piece := await content.readany():
                yield piece

    async def aclose(self) -> None:
        """Give the connection back if the body comes to its end now, and end it if not.

        A stream is over for its reader a moment before its last, empty chunk.
        """
        content = self._response.content
        if not content.is_eof():
            with suppress(TimeoutError, aiohttp.ClientError, OSError):
                await asyncio.wait_for(content.wait_eof(), _LAST_CHUNK_SECONDS)
        if not content.is_eof():
            self._response.close()


class Connections:
    """Connections to any provider, at most a thousand. ``close`` them when done."""

    def __init__(self, tls: ssl.SSLContext, *, connect_seconds: float) -> None:
        """``connect_seconds`` bounds waiting for a connection; nothing else is timed here."""
        self._tls = tls
        self._timeout = aiohttp.ClientTimeout(
            total=None, connect=connect_seconds, sock_connect=connect_seconds, sock_read=None
        )
        self._session: aiohttp.ClientSession | None = None

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Send a request; return when the answer's head has come. Raises httpx's errors."""
        session = self._session or self._opened()
        if session.closed:
            # By a change of its upstream, since the call chose it: another may serve the call
            raise httpx.ConnectError("the connections to this upstream are closed")
        with _told_by_httpx():
            # A redirect is an answer as any other: the body and the key go nowhere else
            response = await session.post(url, data=body, headers=headers, allow_redirects=False)
        return Answer(response)

    async def close(self) -> None:
        """End every connection."""
        if self._session is not None:
            await self._session.close()

    def _opened(self) -> aiohttp.ClientSession:
        """Open the session, which needs the running loop."""
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=_MOST_CONNECTIONS, keepalive_timeout=_IDLE_SECONDS, ssl=self._tls
            ),
            timeout=self._timeout,
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=("accept", "accept-encoding", "user-agent"),
            read_bufsize=_READ_BYTES,
            max_line_size=_HEAD_BYTES,
            max_field_size=_HEAD_BYTES,
        )
        return self._session


@contextmanager
def _told_by_httpx() -> Iterator[None]:
    try:
        yield
    except aiohttp.ConnectionTimeoutError as error:
        raise httpx.ConnectTimeout(str(error)) from error
    except aiohttp.ServerTimeoutError as error:
        raise httpx.ReadTimeout(str(error)) from error
    except aiohttp.ClientConnectorError as error:
        raise httpx.ConnectError(str(error)) from error
    except (aiohttp.ClientError, OSError, ValueError) as error:
        # A ``ValueError`` is of a header that can't be sent, such as a key with a line's end
        raise httpx.RemoteProtocolError(repr(error)) from error
