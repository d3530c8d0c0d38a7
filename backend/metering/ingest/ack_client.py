"""A client of NATS that stores a message in JetStream in one write and one wake-up.

The library's own request goes by way of four tasks and a timer, which together take most of what it
costs to store a message. This writes the message at once if nothing waits to be written before it,
and gives the acknowledgement to whoever waits for it as soon as it has been read. All else
(servers, credentials, TLS, reconnecting) stays the library's.
"""

from __future__ import annotations

import asyncio
from itertools import count

import orjson
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.transport import TcpTransport
from nats.errors import Error as NatsError
from nats.errors import MaxPayloadError
from nats.js.api import Header
from nats.js.errors import APIError, NoStreamResponseError

_MESSAGE_ID = Header.MSG_ID.value.encode()
_NO_RESPONDERS = b"NATS/1.0 503"
_Ack = tuple[bytes, bytes]


class AckUnreadable(NatsError):
    """What came back says neither that the message is stored nor why not: it may be, or not."""


class AckClient(Client):
    """The library's client, with ``store`` beside what it has."""

    def __init__(self) -> None:
        super().__init__()
        self._waiting: dict[bytes, asyncio.Future[_Ack]] = {}
        self._inbox = b""
        self._numbers = count()
        self._subscribing = asyncio.Lock()

    async def store(self, subject: str, message: bytes, *, message_id: str, seconds: float) -> None:
        """Return once a stream has stored the message, under an id that it keeps one copy of.

        Raises ``TimeoutError`` if nothing comes back within ``seconds``, JetStream's ``APIError``
        if it refuses, ``NoStreamResponseError`` where no stream has the subject, ``AckUnreadable``
        for an answer that says neither, ``OutboundBufferLimitError`` if too much waits for the
        connection to be there again, and other errors of NATS. Names are the protocol's:
        https://docs.nats.io/reference/reference-protocols
        """
        if not self._inbox:
            await self._subscribe()
        if len(message) > self.max_payload:
            raise MaxPayloadError
        reply = b"%b.%d" % (self._inbox, next(self._numbers))
        acknowledged = asyncio.get_running_loop().create_future()
        self._waiting[reply] = acknowledged
        try:
            async with asyncio.timeout(seconds):
                if not self._written(subject, reply, message, message_id):
                    # In its turn, as when it reconnects
                    own = {Header.MSG_ID.value: message_id}
                    await self.publish(subject, message, reply.decode(), own)
                headers, content = await acknowledged
        finally:
            del self._waiting[reply]
        _require_stored(headers, content)

    def _written(self, subject: str, reply: bytes, message: bytes, message_id: str) -> bool:
        """Write at once what nothing goes before; return whether that was so."""
        transport = self._transport
        direct = self.is_connected and not self._pending and isinstance(transport, TcpTransport)
        if not direct or transport is None or self.is_draining_pubs:
            return False
        head = b"NATS/1.0\r\n%b: %b\r\n\r\n" % (_MESSAGE_ID, message_id.encode())
        sizes = len(head), len(head) + len(message)
        command = b"HPUB %b %b %d %d\r\n%b%b\r\n" % (subject.encode(), reply, *sizes, head, message)
        transport.write(command)
        return True

    async def _subscribe(self) -> None:
        async with self._subscribing:
            if not self._inbox:
                inbox = self.new_inbox()
                await self.subscribe(f"{inbox}.*", cb=_unasked)
                self._inbox = inbox.encode()

    async def _process_msg(
        self, sid: int, subject: bytes, reply: bytes, data: bytes, headers: bytes
    ) -> None:
        """Take what has been read: an acknowledgement goes to whoever waits for it (library)."""
        waiting = self._waiting.get(subject)
        if waiting is None:
            await super()._process_msg(sid, subject, reply, data, headers)
        elif not waiting.done():
            waiting.set_result((headers or b"", data))


async def _unasked(_message: Msg) -> None:
    """Take an acknowledgement that comes too late."""


def _require_stored(headers: bytes, content: bytes) -> None:
    if headers.startswith(_NO_RESPONDERS):
        raise NoStreamResponseError
    try:
        answer = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise AckUnreadable from error
    if not isinstance(answer, dict):
        raise AckUnreadable
    if "error" in answer:
        try:
            refusal = APIError(**answer["error"])
        except TypeError as error:
            raise AckUnreadable from error
        raise refusal
    if "stream" not in answer:
        raise AckUnreadable
