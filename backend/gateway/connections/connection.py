"""One connection to a provider, by HTTP/1.1 (RFC 9112): one request at a time.

The parser is llhttp, which Node uses too; what it leaves to its user is here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Final, cast

import httptools
import httpx

from backend.gateway.connections.answer import Answer

_HEAD_BYTES: Final = 64 * 1024
"""The longest header of an answer, and the longest trailer."""
_BODILESS: Final = frozenset({204, 304})
_CHUNKED: Final = ["chunked"]
_TO_THE_END: Final = ["identity"]
"""What some servers still say of a body that ends with the connection (RFC 2616)."""
_STALE_SECONDS: Final = 1.0
"""A request that crosses with the end of an idle connection learns of it within a round trip."""


class Stale(httpx.RemoteProtocolError):
    """A connection that was kept had ended, or ended as the request was sent, without a byte."""


class Connection(asyncio.Protocol):
    """One connection. ``released`` is called when it may take another request, or has ended."""

    def __init__(self, released: Callable[[Connection], None]) -> None:
        self._released = released
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        # As aiohttp and browsers read; where a body ends stays strict
        self._parser.set_dangerous_leniencies(
            lenient_headers=True,
            lenient_optional_cr_before_lf=True,
            lenient_spaces_after_chunk_size=True,
        )
        self._head: asyncio.Future[Answer] | None = None
        """What waits for the head of an answer; None between a head and the next request."""
        self._answer: Answer | None = None
        """The answer whose body is under way."""
        self._headers: dict[str, str] = {}
        self._head_bytes = 0
        self._silent_bytes = 0
        """What has come since the request, or since the last of a body: of heads, and between."""
        self._was_used = False
        self._asked_at = 0.0
        self._ends_with_connection = False
        self._is_paused = False
        self.is_usable = True
        """Whether it can take a request, now or after the one under way."""

    async def send(self, *request: bytes) -> Answer:
        """Send a request; return when the answer's head has come. Raises httpx's errors.

        ``Stale`` is the one after which another connection is to be tried.
        """
        transport = self._transport
        if not self.is_usable or transport is None or transport.is_closing():
            self.end()
            raise Stale("the connection was closed")
        if self._is_asked:
            raise RuntimeError("a connection has one request at a time")
        loop = asyncio.get_running_loop()
        head: asyncio.Future[Answer] = loop.create_future()
        self._head, self._silent_bytes, self._asked_at = head, 0, loop.time()
        transport.writelines(request)
        try:
            return await head
        except asyncio.CancelledError:
            # Unless the answer is whole by now, and the connection perhaps another's
            if self._is_of(head):
                self.end()
            raise

    @property
    def _is_asked(self) -> bool:
        """Whether an answer is awaited, or under way."""
        return self._head is not None or self._answer is not None

    def _is_of(self, head: asyncio.Future[Answer]) -> bool:
        """Whether what is under way is the request that waits, or waited, for this."""
        if self._head is not None:
            return self._head is head
        has_come = head.done() and not head.cancelled() and head.exception() is None
        return self._answer is not None and has_come and head.result() is self._answer

    def end(self) -> None:
        """End the connection; what has not come of an answer will not be read."""
        self._fail(httpx.ReadError("the connection was ended here"))

    def pause(self) -> None:
        """Let the provider wait."""
        if self._transport is not None and not self._is_paused:
            self._is_paused = True
            self._transport.pause_reading()

    def resume(self) -> None:
        """Read on."""
        if self._is_paused and self._transport is not None and not self._transport.is_closing():
            self._is_paused = False
            self._transport.resume_reading()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin (asyncio)."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is of its own kind

    def data_received(self, data: bytes) -> None:
        """Parse what has come (asyncio)."""
        if not self._is_asked:
            self._fail(httpx.RemoteProtocolError("an answer came that nobody asked for"))
            return
        self._silent_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            cause = error.__context__
            if not isinstance(cause, httpx.HTTPError):
                cause = httpx.RemoteProtocolError(f"no valid answer ({type(error).__name__})")
            self._fail(cause)
        if self._is_asked and self._silent_bytes > _HEAD_BYTES:
            # The parser tells of a header when it is whole, which it may never be
            self._fail(httpx.RemoteProtocolError("the answer's headers are too long"))

    def eof_received(self) -> None:
        """Close too: nothing is sent after a request (asyncio)."""

    def connection_lost(self, exc: Exception | None) -> None:
        """End what is under way, and well if this is how its end is told (asyncio)."""
        if exc is None and self._answer is not None and self._ends_with_connection:
            self._finish(again=False)
        kind = Stale if self._is_stale() else httpx.RemoteProtocolError
        self._fail(kind("the provider closed the connection"))

    def _is_stale(self) -> bool:
        """Whether a kept connection ends as a request is sent, of which nothing may have come."""
        if not self._was_used or self._head is None or self._silent_bytes:
            return False
        return asyncio.get_running_loop().time() - self._asked_at < _STALE_SECONDS

    def on_message_begin(self) -> None:
        """Begin an answer (httptools)."""
        if self._head is None:
            raise httpx.RemoteProtocolError("an answer came that nobody asked for")
        self._headers, self._head_bytes = {}, 0

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header, or a trailer, which nobody reads (httptools)."""
        self._head_bytes += len(name) + len(value)
        if self._head_bytes > _HEAD_BYTES:
            raise httpx.RemoteProtocolError("the answer's headers are too long")
        if self._answer is None:
            title, text = name.decode("latin-1").lower(), value.decode("latin-1")
            if title == "transfer-encoding" and title in self._headers:
                # Several lines are one list (RFC 9110, 5.3), and the last of it ends the body
                self._headers[title] += f", {text}"
            else:
                self._headers.setdefault(title, text)

    def on_headers_complete(self) -> None:
        """Give the head to who waits for it, unless another is to come after it (httptools)."""
        status, headers = self._parser.get_status_code(), self._headers
        if status < 200:
            return
        self._head_bytes = self._silent_bytes = 0
        has_end = _has_end(headers)
        self._ends_with_connection = not has_end and status not in _BODILESS
        answer = self._answer = Answer(self, status, headers)
        head, self._head = self._head, None
        if head is not None and not head.done():
            head.set_result(answer)

    def on_body(self, body: bytes) -> None:
        """Take a piece of the body (httptools)."""
        self._silent_bytes = 0
        if self._answer is not None:
            self._answer.feed(body)

    def on_message_complete(self) -> None:
        """End an answer; one that goes before the answer leaves that to come (httptools)."""
        if self._answer is not None:
            self._finish(again=self._parser.should_keep_alive())

    def _finish(self, *, again: bool) -> None:
        answer, self._answer = self._answer, None
        self._was_used = True
        if answer is not None:
            self.resume()
            answer.finish()
        if again and self.is_usable and self._is_sent():
            self._released(self)
        else:
            self._fail(httpx.RemoteProtocolError("the connection was closed"))

    def _is_sent(self) -> bool:
        """Whether the provider has the whole request: behind the rest, another would wait."""
        return self._transport is not None and self._transport.get_write_buffer_size() == 0

    def _fail(self, error: httpx.HTTPError) -> None:
        """End the connection, and whatever waits for something of it."""
        head, self._head = self._head, None
        answer, self._answer = self._answer, None
        if head is not None and not head.done():
            head.set_exception(error)
        if answer is not None:
            answer.finish(error)
        if self.is_usable:
            self.is_usable = False
            if self._transport is not None:
                self._transport.abort()
            self._released(self)


def _has_end(headers: Mapping[str, str]) -> bool:
    """Return whether a body says where it ends; raise ``RemoteProtocolError`` for a coding of it.

    No coding but chunked may be used for who asked for none (RFC 9112, 6.1): such a body could be
    read by nobody, and where it is cut off would be taken for its end. That of one with a length as
    well the parser refuses.
    """
    if "transfer-encoding" not in headers:
        return "content-length" in headers
    listed = (coding.strip().lower() for coding in headers["transfer-encoding"].split(","))
    codings = [coding for coding in listed if coding]
    if codings not in (_CHUNKED, _TO_THE_END):
        raise httpx.RemoteProtocolError("the answer has a transfer coding that was not asked for")
    return codings == _CHUNKED
