"""Connections to providers: kept, reused, and lean.

httpx's own transport takes ten times the processor's time of this for the same request, which was
more than half of what a call cost, and aiohttp's five times. httpx's errors stay: whoever calls a
provider needs no others.
"""

from __future__ import annotations

import asyncio
import re
import socket as sockets
import ssl
import time
from collections import deque
from collections.abc import Mapping
from functools import lru_cache
from typing import Final, NamedTuple

import aiohappyeyeballs
import httpx

from backend.gateway.connections.answer import Answer
from backend.gateway.connections.connection import Connection, Stale

__all__ = ["Answer", "Connections"]

MOST_CONNECTIONS: Final = 1_000
_IDLE_SECONDS: Final = 4.0
"""Providers, and the proxies before them, keep idle connections for longer than this: uvicorn, by
which vLLM and others serve, for 5 seconds."""
_NEXT_ADDRESS_SECONDS: Final = 0.25
"""How long one of a host's addresses is tried before the next is tried beside it (RFC 8305)."""
_UNSENDABLE: Final = re.compile(r"[\r\n\0]")


class _Place(NamedTuple):
    """Where a request goes: what connections are kept by."""

    scheme: str
    host: str
    port: int


class Connections:
    """Connections to any provider, at most a thousand. ``close`` them when done."""

    def __init__(self, tls: ssl.SSLContext, *, connect_seconds: float) -> None:
        """``connect_seconds`` bounds waiting for a connection; nothing else is timed here."""
        self._tls = tls
        self._connect_seconds = connect_seconds
        self._idle: dict[_Place, list[tuple[float, Connection]]] = {}
        self._all: dict[Connection, _Place] = {}
        self._opening = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._sweep: asyncio.TimerHandle | None = None
        self._is_closed = False

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Send a request; return when the answer's head has come. Raises httpx's errors.

        A redirect is an answer as any other: the body and the key go nowhere else.
        """
        if self._is_closed:
            # By a change of its upstream, since the call chose it: another may serve the call
            raise httpx.ConnectError("the connections to this upstream are closed")
        place, start = _parts(url)
        head = _head(start, headers, len(body))
        if (kept := self._idle_connection(place)) is not None:
            try:
                return await kept.send(head, body)
            except Stale:
                # Others that are kept may have ended as well. A new one, once: a provider that
                # closes again has read the request
                pass
        return await (await self._opened(place)).send(head, body)

    async def close(self) -> None:
        """End every connection."""
        self._is_closed = True
        if self._sweep is not None:
            self._sweep.cancel()
        for connection in list(self._all):
            connection.end()

    def _idle_connection(self, place: _Place) -> Connection | None:
        """Return a connection that is open and idle: the last that was used."""
        idle = self._idle.get(place)
        oldest = time.monotonic() - _IDLE_SECONDS
        while idle:
            since, connection = idle.pop()
            if connection.is_usable and since >= oldest:
                return connection
            connection.end()
        return None

    async def _opened(self, place: _Place) -> Connection:
        """Open a connection; where there are as many as may be, wait for one."""
        try:
            async with asyncio.timeout(self._connect_seconds):
                while len(self._all) + self._opening >= MOST_CONNECTIONS:
                    if (kept := self._idle_connection(place)) is not None:
                        return kept
                    if not self._end_any_idle():
                        await self._one_less()
                self._opening += 1
                try:
                    return await self._connected(asyncio.get_running_loop(), place)
                except BaseException:
                    self._tell_waiting()  # there is room for another
                    raise
                finally:
                    self._opening -= 1
        except TimeoutError as error:
            raise httpx.ConnectTimeout("no connection in time") from error
        except (OSError, ValueError) as error:
            raise httpx.ConnectError(f"{type(error).__name__}: {error}") from error

    async def _one_less(self) -> None:
        """Wait until a connection has become free, or has ended."""
        free = asyncio.get_running_loop().create_future()
        self._waiting.append(free)
        try:
            await free
        finally:
            self._waiting.remove(free)

    async def _connected(self, loop: asyncio.AbstractEventLoop, place: _Place) -> Connection:
        infos = await loop.getaddrinfo(place.host, place.port, type=sockets.SOCK_STREAM)
        socket = await aiohappyeyeballs.start_connection(
            infos, happy_eyeballs_delay=_NEXT_ADDRESS_SECONDS, interleave=1, loop=loop
        )
        secure = place.scheme == "https"
        try:
            _, connection = await loop.create_connection(
                lambda: Connection(self._released),
                sock=socket,
                ssl=self._tls if secure else None,
                server_hostname=place.host if secure else None,
            )
        except BaseException:
            socket.close()
            raise
        if self._is_closed:
            connection.end()
            raise httpx.ConnectError("the connections to this upstream are closed")
        if not connection.is_usable:  # it has ended, or said something unasked, by now
            raise httpx.ConnectError("the provider closed the connection at once")
        self._all[connection] = place
        return connection

    def _released(self, connection: Connection) -> None:
        place = self._all.get(connection)
        if place is None:
            return
        self._tell_waiting()
        if not connection.is_usable:
            del self._all[connection]
            return
        self._idle.setdefault(place, []).append((time.monotonic(), connection))
        if self._sweep is None:
            loop = asyncio.get_running_loop()
            self._sweep = loop.call_later(_IDLE_SECONDS, self._end_idle)

    def _tell_waiting(self) -> None:
        for free in self._waiting:  # all: one may have stopped to wait
            if not free.done():
                free.set_result(None)

    def _end_any_idle(self) -> bool:
        """End a connection that is kept for another place, if there is one."""
        for idle in self._idle.values():
            while idle:
                _, connection = idle.pop()
                if connection.is_usable:
                    connection.end()
                    return True
        return False

    def _end_idle(self) -> None:
        """End what was idle for too long; look again while anything is idle."""
        self._sweep = None
        oldest = time.monotonic() - _IDLE_SECONDS
        for place, idle in list(self._idle.items()):
            self._idle[place] = [each for each in idle if each[0] > oldest and each[1].is_usable]
            for since, connection in idle:
                if since <= oldest:
                    connection.end()
            if not self._idle[place]:
                del self._idle[place]
        if self._idle:
            loop = asyncio.get_running_loop()
            self._sweep = loop.call_later(_IDLE_SECONDS, self._end_idle)


@lru_cache(maxsize=1024)
def _parts(url: str) -> tuple[_Place, str]:
    """Return where an address is, and how a request to it begins."""
    try:
        parsed = httpx.URL(url)
        host = parsed.raw_host.decode("ascii")
        port = parsed.port or {"http": 80, "https": 443}[parsed.scheme]
    except (httpx.InvalidURL, KeyError) as error:
        raise httpx.UnsupportedProtocol("no address of HTTP") from error
    target, authority = parsed.raw_path.decode("ascii"), parsed.netloc.decode("ascii")
    return _Place(parsed.scheme, host, port), f"POST {target} HTTP/1.1\r\nhost: {authority}\r\n"


def _head(start: str, headers: Mapping[str, str], length: int) -> bytes:
    """Return a request's head; raise ``RemoteProtocolError`` for headers that can't be sent."""
    lines = [f"{name}: {value}" for name, value in headers.items()]
    if any(_UNSENDABLE.search(line) for line in lines):
        raise httpx.RemoteProtocolError("a header can't be sent")  # which may be a key: not told
    try:
        return start.encode() + "\r\n".join([*lines, f"content-length: {length}\r\n\r\n"]).encode(
            "latin-1"
        )
    except UnicodeEncodeError:
        raise httpx.RemoteProtocolError("a header can't be sent") from None
