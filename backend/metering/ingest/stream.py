"""The usage stream: accepted events on NATS JetStream, acknowledged before senders are."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Self

import structlog
from nats.aio.client import Client
from nats.js import JetStreamContext
from nats.js.errors import APIError, NoStreamResponseError

from backend.errors import Unavailable
from backend.ids import new_id
from backend.kit.backoff import pauses
from backend.kit.nats_servers import NatsServers
from backend.kit.remembered import Remembered
from backend.metering.errors import QueueFull, QueueUnavailable
from backend.metering.events import AcceptedEvent, messages
from backend.metering.ingest.ack_client import AckClient
from backend.metering.ingest.connection import STREAM_OUTAGES, open_connection, servers_of
from backend.metering.ingest.streams import (
    BACKFILL_AGE,
    backfill_subject,
    ensure_streams,
    events_subject,
    usage_streams,
)
from backend.settings import Settings

_log = structlog.get_logger(__name__)

_ACK_SECONDS = 2.0
_PUBLISH_SECONDS = 6.0
"""How long a write is tried."""
ELECTION_SECONDS = 12.0
"""The same in a cluster, where servers that lost the leaders of all streams at once elect others
within 4 to 9 s."""
_ATTEMPT_SECONDS = 1.0
"""For one attempt: a lost leader's acknowledgement never arrives."""
_FIRST_PAUSE_SECONDS = 0.05
_LONGEST_PAUSE_SECONDS = 0.25
_HEALTH_SECONDS = 1.0
_EMPTY = b"[]"
"""A message without events: what a probe writes."""
_FULL_RETRY_SECONDS = 5
_FULL = {10077, 10122}
"""JetStream's codes for a stream at its limit of bytes or messages: the worker is behind."""
_NO_ROOM = {10047, 10023}
"""JetStream's codes for no space on disk or in memory."""
_TEMPORARY = 503
"""The status of JetStream's errors that pass, such as of a server that no longer leads."""


async def refuses_writes(servers: NatsServers, stream_name: str) -> bool:
    """Return whether a server that answers does not confirm a write, though the stream has room.

    It asks the embedded server, which is alone and has one stream. False if it does not answer, or
    has no such stream yet.
    """
    try:
        client = await open_connection(servers, "farebox-probe")
    except STREAM_OUTAGES:
        return False
    try:
        await client.jetstream().publish(events_subject(stream_name), _EMPTY, timeout=_ACK_SECONDS)
    except NoStreamResponseError:
        return False
    except APIError as error:
        return error.err_code not in _FULL
    except STREAM_OUTAGES:
        return client.is_connected
    finally:
        await client.close()
    return False


def _is_full(error: Exception) -> bool:
    return isinstance(error, APIError) and error.err_code in _FULL | _NO_ROOM


def _may_pass(error: Exception) -> bool:
    """Whether a stream that failed so may take the same write a moment later."""
    return not isinstance(error, APIError) or _is_full(error) or error.code == _TEMPORARY


class UsageStream:
    """Publishes accepted events. One a process; ``await close()`` when done."""

    def __init__(self, nats_url: str, settings: Settings) -> None:
        self._url = nats_url
        self._settings = settings
        self._client: AckClient | None = None
        self._js: JetStreamContext | None = None
        self._connecting = asyncio.Lock()
        self._names = usage_streams(settings)
        """The streams of usage, the one that took the last write first."""
        self._health: Remembered[None, bool] = Remembered(seconds=_HEALTH_SECONDS, most=1)

    @classmethod
    async def connect(cls, nats_url: str, settings: Settings) -> Self:
        """Return the stream, connected if NATS answers now; otherwise it connects later."""
        stream = cls(nats_url, settings)
        try:
            await stream.jetstream()
        except Unavailable as error:
            _log.warning("nats.unreachable", detail=error.detail)
        return stream

    @property
    def name(self) -> str:
        """Its name in JetStream."""
        return self._settings.stream_name

    @property
    def tried_in_turn(self) -> tuple[str, ...]:
        """The streams of usage in the order in which the next message tries them."""
        return tuple(self._names)

    @property
    def client(self) -> Client | None:
        """The connection, if there is one: for requests to the worker."""
        return self._client

    async def jetstream(self) -> JetStreamContext:
        """Return JetStream, connecting first if need be; raise ``Unavailable`` if it can't."""
        if self._js is not None:
            return self._js
        async with self._connecting:
            if self._js is None:
                try:
                    servers = servers_of(self._url, self._settings)
                    if self._client is None:
                        client = AckClient()
                        await open_connection(servers, "farebox-api", client)
                        self._client = client
                    js = self._client.jetstream(timeout=_ACK_SECONDS)
                    await ensure_streams(js, self._settings)
                except APIError as error:
                    # Such as too little disk for FAREBOX_STREAM_MAX_BYTES, which concerns the
                    # operator and not every caller
                    _log.error("nats.refused", detail=error.description)
                    raise QueueUnavailable("The usage stream can't be made.") from error
                except STREAM_OUTAGES as error:
                    raise QueueUnavailable() from error
                self._js = js
        return self._js

    async def publish(self, events: Sequence[AcceptedEvent]) -> None:
        """Return once JetStream has stored every event.

        Raises ``RateLimited`` if the stream is full, ``Unavailable`` if it is unknown whether they
        are stored; sending the same events again is safe, because each counts once.
        """
        if not events:
            return
        await self.jetstream()
        live = [event for event in events if event.received_at - event.time <= BACKFILL_AGE]
        backfill = (
            [event for event in events if event.received_at - event.time > BACKFILL_AGE]
            if len(live) < len(events)
            else []
        )
        writes = [
            (subject_of, message)
            for subject_of, part in ((events_subject, live), (backfill_subject, backfill))
            for message in messages(part)
        ]
        if len(writes) == 1:  # as of each call of the gateway: without a task of its own
            await self._publish_message(*writes[0])
        else:
            await asyncio.gather(*(self._publish_message(*write) for write in writes))

    async def _publish_message(self, subject_of: Callable[[str], str], message: bytes) -> None:
        """Store a message in one of the streams, in whichever confirms it.

        One may have stored it too without confirming it: its events count once all the same.
        """
        if (client := self._client) is None:
            raise QueueUnavailable()
        # The same id on every attempt: JetStream keeps one copy if an acknowledgement got lost.
        message_id = new_id("evt")
        until = time.monotonic() + (_PUBLISH_SECONDS if len(self._names) == 1 else ELECTION_SECONDS)
        waits = pauses(_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS)
        while True:
            full = 0
            for name in self._names.copy():
                try:
                    await client.store(
                        subject_of(name), message, message_id=message_id, seconds=_ATTEMPT_SECONDS
                    )
                except STREAM_OUTAGES as error:
                    failure = error
                    full += _is_full(error)
                    self._leave_for_last(name)
                else:
                    return
            if full == len(self._names):
                raise QueueFull(
                    "The usage stream is full: the worker is behind. Send it again later.",
                    retry_after_seconds=_FULL_RETRY_SECONDS,
                ) from failure
            if not _may_pass(failure):
                raise QueueUnavailable("The usage stream refused the write.") from failure
            pause = next(waits)
            if time.monotonic() + pause >= until:
                raise QueueUnavailable(
                    "The usage stream did not confirm the write; send it again."
                ) from failure
            await asyncio.sleep(pause)

    def _leave_for_last(self, name: str) -> None:
        """Try the other streams before this one from now on: it may have no leader for seconds."""
        self._names.remove(name)
        self._names.append(name)

    async def healthy(self) -> bool:
        """Return whether JetStream stores a write now, which is what ingest needs.

        A stream whose worker is behind is healthy; senders get its own error. The answer is cached
        for a second.
        """
        return await self._health.get(None, self._takes_a_write)

    async def _takes_a_write(self) -> bool:
        try:
            js = await self.jetstream()
        except Unavailable:
            return False
        for name in self._names.copy():
            try:
                await js.publish(events_subject(name), _EMPTY)
            except STREAM_OUTAGES as error:
                if isinstance(error, APIError) and error.err_code in _FULL:
                    return True
            else:
                return True
        return False

    async def close(self) -> None:
        """Send what is pending and disconnect."""
        if self._client is not None and not self._client.is_closed:
            if self._client.is_connected:
                await self._client.drain()
            else:
                with suppress(OSError):  # of what is pending, for which there is no connection
                    await self._client.close()
