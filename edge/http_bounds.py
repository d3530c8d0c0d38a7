"""An HTTP server's protocol that bounds a request's head, and the time that a request may take.

uvicorn's own takes a head of any size, and waits for the rest of a request for ever.
"""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar, cast

from edge.http_upgrades import NoUpgrade

MOST_HEAD_BYTES = 64 * 1024
"""Of the request line and all headers together."""
MOST_HEADERS = 128
HEAD_SECONDS = 15.0
"""From a request's first byte, or a connection's beginning, to the end of the head."""
BODY_SECONDS = 30.0
"""To the end of a body that comes at less than :data:`LEAST_BYTES_A_SECOND`."""
LEAST_BYTES_A_SECOND = 1024
"""A body that comes faster has more time."""

_REFUSALS = {
    400: b"The request is not valid HTTP.",
    408: b"The request took too long to arrive.",
    431: b"The request's headers are too large or too many.",
}
_PHRASES = {400: b"Bad Request", 408: b"Request Timeout", 431: b"Request Header Fields Too Large"}


class _TooLargeError(Exception):
    """The head is over a bound; raised through the parser, which then stops."""


class BoundedHttp(NoUpgrade):
    """uvicorn's protocol, with the bounds of this module. Give the class as ``http=``.

    A head over its bounds is answered 431, a request that comes too slowly 408; both close the
    connection. One whose answer has begun is only closed.
    """

    head_seconds: ClassVar[float] = HEAD_SECONDS
    body_seconds: ClassVar[float] = BODY_SECONDS

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._deadline: asyncio.TimerHandle | None = None
        self._began = 0.0
        self._in_head = True
        self._head_bytes = 0
        self._body_bytes = 0
        self._refusal = 400

    def connection_made(  # type: ignore[override]  # as uvicorn's own
        self, transport: asyncio.Transport
    ) -> None:
        """Give the first request its time."""
        super().connection_made(transport)
        self._begin_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the deadline."""
        self._end_deadline()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse what has come; refuse a head over its bounds, complete or not."""
        if self._deadline is None:  # such as empty lines between two requests
            self._begin_head()
        super().data_received(data)
        # A head that is complete was bounded then
        if self._in_head:
            self._head_bytes += len(data)
            if self._head_bytes > MOST_HEAD_BYTES and not self._closing():
                self._refuse(431)

    def handle_websocket_upgrade(self) -> None:
        """Leave the connection to the websocket's protocol, which has deadlines of its own."""
        self._end_deadline()
        super().handle_websocket_upgrade()

    def on_message_begin(self) -> None:
        """Begin a head; on a connection that stays open, with time of its own."""
        super().on_message_begin()
        self._begin_head()

    def on_headers_complete(self) -> None:
        """Check the head's bounds, and give the body its time."""
        size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
        if size > MOST_HEAD_BYTES or len(self.headers) > MOST_HEADERS:
            self._refusal = 431
            raise _TooLargeError
        self._in_head = False
        self._head_bytes = self._body_bytes = 0
        self._set_deadline(self.body_seconds)
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Count what has come of the body."""
        self._body_bytes += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """End the request's deadline: what is left is the server's time."""
        self._end_deadline()
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Answer what the parser has refused, by the reason that there is."""
        self._refuse(self._refusal)

    def _begin_head(self) -> None:
        self._in_head, self._head_bytes, self._refusal = True, 0, 400
        self._set_deadline(self.head_seconds)

    def _set_deadline(self, seconds: float) -> None:
        self._end_deadline()
        self._began = self.loop.time()
        self._deadline = self.loop.call_later(seconds, self._at_deadline)

    def _end_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _at_deadline(self) -> None:
        """Close the connection, or wait on for a body that comes fast enough."""
        self._deadline = None
        if self._closing():
            return
        now = self.loop.time()
        if not self._in_head:
            until = self._began + self.body_seconds + self._body_bytes / LEAST_BYTES_A_SECOND
            if self.flow.read_paused:  # the server's own slowness is not the sender's
                until = max(until, now + self.body_seconds)
            if until > now:
                self._deadline = self.loop.call_at(until, self._at_deadline)
                return
        self._refuse(408)

    def _refuse(self, status: int) -> None:
        self._end_deadline()
        # uvicorn sets it with the first request
        cycle = cast("Any", self.cycle)
        answering = cycle is not None and not cycle.response_complete and cycle.response_started
        unasked = status == 408 and self._in_head and self._head_bytes == 0
        if not answering and not unasked:
            detail = _REFUSALS[status]
            head = b"HTTP/1.1 %d %s\r\n" % (status, _PHRASES[status])
            fields = b"content-type: text/plain; charset=utf-8\r\ncontent-length: %d\r\n"
            self.transport.write(
                head + fields % len(detail) + b"connection: close\r\n\r\n" + detail
            )
        self.transport.close()

    def _closing(self) -> bool:
        return self.transport is None or self.transport.is_closing()
