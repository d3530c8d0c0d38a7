"""Tabs without a browser: websockets that send to the portal what a browser's tab once sent."""

from __future__ import annotations

import asyncio
import time
import uuid
from dataclasses import dataclass, field
from urllib.parse import urlencode, urlsplit

from wsproto import ConnectionType, WSConnection
from wsproto.events import (
    AcceptConnection,
    CloseConnection,
    Ping,
    Request,
    TextMessage,
)

NAMESPACE = "/_event"
CONNECT = f"40{NAMESPACE},"
"""How Socket.IO begins the message that opens a namespace; the page's load is in it."""
_PING, _PONG = "2", "3"
_LONGEST_SECONDS = 120.0


@dataclass
class Tab:
    """A websocket of a signed-in person's, which counts what it gets."""

    url: str
    cookie: str
    received_bytes: int = 0
    token: str = field(default_factory=lambda: str(uuid.uuid4()))
    _watched: str = ""
    _seen: asyncio.Event = field(default_factory=asyncio.Event)
    _connect: str = ""

    async def open(self, connect: str, answer: str) -> None:
        """Connect and load a page; keep reading until ``close``.

        ``connect`` is what a browser sent to do so, which says what page it is at; ``answer`` is in
        the message that shows the page.
        """
        self._connect, self._watched = connect, answer
        parts = urlsplit(self.url)
        self._reader, self._writer = await asyncio.open_connection(parts.hostname, parts.port)
        self._connection = WSConnection(ConnectionType.CLIENT)
        query = urlencode({"token": self.token, "EIO": "4", "transport": "websocket"})
        self._send(
            Request(
                host=parts.netloc,
                target=f"{NAMESPACE}/?{query}",
                extra_headers=[
                    (b"cookie", self.cookie.encode()),
                    (b"origin", self.url.encode()),
                ],
            )
        )
        self._reading = asyncio.create_task(self._read())
        async with asyncio.timeout(_LONGEST_SECONDS):
            await self._seen.wait()

    async def ask(self, frame: str, answer: str) -> float:
        """Send an event; return the seconds until a message with ``answer`` in it comes."""
        self._watched = answer
        self._seen.clear()
        began = time.perf_counter()
        self._send(TextMessage(data=frame))
        async with asyncio.timeout(_LONGEST_SECONDS):
            await self._seen.wait()
        return time.perf_counter() - began

    async def close(self) -> None:
        """Disconnect."""
        self._reading.cancel()
        await asyncio.gather(self._reading, return_exceptions=True)
        self._writer.close()

    def _send(self, event: Request | TextMessage) -> None:
        self._writer.write(self._connection.send(event))

    async def _read(self) -> None:
        text = ""
        while data := await self._reader.read(65536):
            self.received_bytes += len(data)
            self._connection.receive_data(data)
            for event in self._connection.events():
                if isinstance(event, AcceptConnection):
                    self._send(TextMessage(data=self._connect))
                elif isinstance(event, Ping):
                    self._writer.write(self._connection.send(event.response()))
                elif isinstance(event, TextMessage):
                    text += event.data
                    if event.message_finished:
                        self._take(text)
                        text = ""
                elif isinstance(event, CloseConnection):
                    return

    def _take(self, text: str) -> None:
        if text == _PING:
            self._send(TextMessage(data=_PONG))
        elif self._watched and self._watched in text:
            self._seen.set()
