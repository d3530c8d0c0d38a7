"""The usage stream: accepted events on NATS JetStream, acknowledged before anyone is answered."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Self

import structlog
from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.api import DiscardPolicy, RetentionPolicy, StorageType, StreamConfig
from nats.js.errors import APIError, NotFoundError

from backend.errors import RateLimited, Unavailable
from backend.ids import new_id
from backend.metering.events import AcceptedEvent, messages
from backend.settings import Settings

_log = structlog.get_logger(__name__)

COUNTING = "counting"
"""The name of the durable consumer that all workers share."""

CONNECT_SECONDS = 2.0
_ACK_SECONDS = 2.0
_ATTEMPTS = 3
_FULL_RETRY_SECONDS = 5
_FULL = {10077, 10122, 10047, 10023}
"""JetStream's codes for: at most so many bytes or messages; no room on disk or in memory."""


def events_subject(stream_name: str) -> str:
    """Return the subject that accepted events are published on."""
    return f"{stream_name}.events"


def dead_letter_stream(stream_name: str) -> str:
    """Return the name of the stream that keeps messages which can't be processed."""
    return f"{stream_name}_DEAD"


async def open_connection(nats_url: str, name: str) -> Client:
    """Connect, and from then on reconnect for ever; raise a NATS error or ``OSError`` at first."""

    async def on_error(error: Exception) -> None:
        _log.warning("nats.error", error=str(error) or type(error).__name__)

    async def on_disconnect() -> None:
        _log.warning("nats.disconnected")

    async def on_reconnect() -> None:
        _log.info("nats.reconnected")

    # The first attempt gives up, so that a caller learns of it; a connection once made never does.
    client = Client()
    await asyncio.wait_for(
        client.connect(
            nats_url,
            name=name,
            connect_timeout=2,
            max_reconnect_attempts=-1,
            reconnect_time_wait=1,
            ping_interval=5,
            max_outstanding_pings=2,
            error_cb=on_error,
            disconnected_cb=on_disconnect,
            reconnected_cb=on_reconnect,
        ),
        CONNECT_SECONDS,
    )
    return client


async def ensure_streams(js: JetStreamContext, settings: Settings) -> None:
    """Make the usage stream and the dead-letter stream if they are not there.

    A stream that is there gets the bytes that are set now, and keeps all else that it has.
    """
    for name in (settings.stream_name, dead_letter_stream(settings.stream_name)):
        try:
            known = (await js.stream_info(name)).config
        except NotFoundError:
            await js.add_stream(
                StreamConfig(
                    name=name,
                    subjects=[events_subject(name)],
                    # A full stream refuses new events, which the sender is told; it never
                    # drops one that was acknowledged.
                    discard=DiscardPolicy.NEW,
                    max_bytes=settings.stream_max_bytes,
                    retention=(
                        RetentionPolicy.WORK_QUEUE
                        if name == settings.stream_name
                        else RetentionPolicy.LIMITS
                    ),
                    storage=StorageType.FILE,
                )
            )
        else:
            if known.max_bytes != settings.stream_max_bytes:
                await _resize(js, known, settings.stream_max_bytes)


async def _resize(js: JetStreamContext, known: StreamConfig, max_bytes: int) -> None:
    try:
        await js.update_stream(known, max_bytes=max_bytes)
    except APIError as error:
        # Such as too little disk. What there is works; that it is not as it was set, is told.
        _log.error(
            "nats.stream_not_resized",
            stream=known.name,
            max_bytes=known.max_bytes,
            wanted=max_bytes,
            detail=error.description,
        )
    else:
        _log.info("nats.stream_resized", stream=known.name, max_bytes=max_bytes)


class UsageStream:
    """Publishes accepted events. One a process; ``await close()`` when done."""

    def __init__(self, nats_url: str, settings: Settings) -> None:
        self._url = nats_url
        self._settings = settings
        self._client: Client | None = None
        self._js: JetStreamContext | None = None
        self._connecting = asyncio.Lock()

    @classmethod
    async def connect(cls, nats_url: str, settings: Settings) -> Self:
        """Return the stream, connected if NATS answers now; it connects later if not."""
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
                    self._client = self._client or await open_connection(self._url, "farebox-api")
                    js = self._client.jetstream(timeout=_ACK_SECONDS)
                    await ensure_streams(js, self._settings)
                except APIError as error:
                    # Such as too little disk for FAREBOX_STREAM_MAX_BYTES, which is for the
                    # operator to know and not for every caller
                    _log.error("nats.refused", detail=error.description)
                    raise Unavailable("The usage stream can't be made.") from error
                except (NatsError, OSError, TimeoutError) as error:
                    raise Unavailable("The usage stream can't be reached.") from error
                self._js = js
        return self._js

    async def publish(self, events: Sequence[AcceptedEvent]) -> None:
        """Return once JetStream has stored every event.

        Raises ``RateLimited`` if the stream is full, ``Unavailable`` if it could not be made sure
        of; sending the same events again is harmless, because each counts once.
        """
        if not events:
            return
        js = await self.jetstream()
        await asyncio.gather(*(self._publish_message(js, message) for message in messages(events)))

    async def _publish_message(self, js: JetStreamContext, message: bytes) -> None:
        # The same id on every attempt: JetStream keeps one copy if an acknowledgement got lost.
        headers = {"Nats-Msg-Id": new_id("evt")}
        subject = events_subject(self._settings.stream_name)
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                await js.publish(subject, message, headers=headers)
            except APIError as error:
                if error.err_code not in _FULL:
                    raise Unavailable("The usage stream refused the write.") from error
                raise RateLimited(
                    "The usage stream is full: the worker is behind. Send it again later.",
                    retry_after_seconds=_FULL_RETRY_SECONDS,
                ) from error
            except (NatsError, OSError, TimeoutError) as error:
                if attempt == _ATTEMPTS:
                    raise Unavailable(
                        "The usage stream did not confirm the write; send it again."
                    ) from error
            else:
                return

    async def healthy(self) -> bool:
        """Tell whether JetStream answers now."""
        try:
            js = await self.jetstream()
            await js.stream_info(self._settings.stream_name)
        except (Unavailable, NatsError, OSError, TimeoutError):
            return False
        return True

    async def close(self) -> None:
        """Send what is pending and disconnect."""
        if self._client is not None and not self._client.is_closed:
            if self._client.is_connected:
                await self._client.drain()
            else:
                await self._client.close()
