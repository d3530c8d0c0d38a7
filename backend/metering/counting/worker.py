"""The worker's side of the usage stream: take batches, count them, then acknowledge."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from typing import NamedTuple

import asyncpg
import msgspec
import structlog
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig

from backend.kit.periodic import OUTAGES, every
from backend.metering.counting.batches import count_events
from backend.metering.events import AcceptedEvent, decode, encode
from backend.metering.ingest.dead_letters import REASON_HEADER
from backend.metering.ingest.stream import (
    COUNTING,
    dead_letter_stream,
    ensure_streams,
    events_subject,
    open_connection,
)
from backend.settings import Settings
from backend.storage.database import Database

_log = structlog.get_logger(__name__)

_BATCH_EVENTS = 10_000
_FEWEST_MESSAGES = 20
_MOST_MESSAGES = 100  # of up to 700 kB each, whatever they turn out to hold
_WAIT_SECONDS = 0.25  # also how long a stop may take that finds nothing to do
# Short, so that what a killed worker had is soon another's; an event that comes twice counts once.
_ACK_WAIT_SECONDS = 5.0
_PAUSE_SECONDS = 0.5

# When it is the data's fault no retry will help: PostgreSQL says so, or the driver can't send it.
_POISON = (
    asyncpg.exceptions.DataError,
    asyncpg.exceptions.IntegrityConstraintViolationError,
    ValueError,
    OverflowError,
)


class _Taken(NamedTuple):
    """A message and what is in it: its events, or why it can't be read."""

    message: Msg
    events: list[AcceptedEvent]
    unreadable: str | None = None


class UsageConsumer:
    """Counts what the stream holds. As many as wanted may run at once, anywhere."""

    def __init__(self, database: Database, nats_url: str, settings: Settings) -> None:
        self._database = database
        self._nats_url = nats_url
        self._settings = settings

    async def run(self, stop: asyncio.Event) -> None:
        """Work until ``stop`` is set; outlive the loss of PostgreSQL and of NATS."""

        async def act() -> None:
            await self._work(stop)

        # What an outage interrupts was not acknowledged, so it is not lost: it comes again.
        await every(_PAUSE_SECONDS, act, stop, name="consumer", outages=(NatsError, *OUTAGES))

    async def _work(self, stop: asyncio.Event) -> None:
        client = await open_connection(self._nats_url, "farebox-worker")
        try:
            js = client.jetstream()
            await ensure_streams(js, self._settings)
            subscription = await js.pull_subscribe(
                events_subject(self._settings.stream_name),
                durable=COUNTING,
                stream=self._settings.stream_name,
                config=ConsumerConfig(
                    ack_policy=AckPolicy.EXPLICIT,
                    ack_wait=_ACK_WAIT_SECONDS,
                    max_ack_pending=10 * _MOST_MESSAGES,
                ),
            )
            async with self._database.raw() as connection:
                await self._count_on(js, connection, subscription, stop)
                await client.flush()  # the last acknowledgements are with the server
        finally:
            await client.close()

    async def _count_on(
        self,
        js: JetStreamContext,
        connection: asyncpg.Connection,
        subscription: JetStreamContext.PullSubscription,
        stop: asyncio.Event,
    ) -> None:
        """Count batch by batch; the next is fetched and read while PostgreSQL works on this one."""
        wanted = _FEWEST_MESSAGES
        following = asyncio.create_task(self._take(subscription, wanted))
        try:
            while not stop.is_set():
                taken = await following
                if taken:
                    size = sum(len(one.events) for one in taken)
                    wanted = _messages_wanted(len(taken), size)
                elif connection.is_closed():
                    raise ConnectionError("PostgreSQL closed the connection")
                following = asyncio.create_task(self._take(subscription, wanted))
                for chunk in _chunks(taken):
                    await self._count_chunk(js, connection, chunk)
        finally:
            # What was fetched ahead and will not be counted here: another worker may have it now.
            with contextlib.suppress(NatsError, OSError, TimeoutError):
                for one in await following:
                    await one.message.nak()

    async def _take(
        self, subscription: JetStreamContext.PullSubscription, wanted: int
    ) -> list[_Taken]:
        """Fetch messages and read them; none if none come soon."""
        try:
            messages = await subscription.fetch(wanted, timeout=_WAIT_SECONDS)
        except TimeoutError:  # nats-py raises its own kind or asyncio's
            return []
        return [_read(message) for message in messages]

    async def _count_chunk(
        self,
        js: JetStreamContext,
        connection: asyncpg.Connection,
        chunk: Sequence[_Taken],
    ) -> None:
        try:
            counted = await count_events(
                connection, [event for taken in chunk for event in taken.events]
            )
        except _POISON:
            for message, events, _ in chunk:
                await self._count_around_poison(js, connection, message, events)
        else:
            _log.debug("consumer.counted", new=counted.new, known=counted.known)
        for message, _, unreadable in chunk:
            if unreadable is not None:
                await self._set_aside(js, message, message.data, f"not readable: {unreadable}")
            await message.ack()

    async def _count_around_poison(
        self,
        js: JetStreamContext,
        connection: asyncpg.Connection,
        message: Msg,
        events: list[AcceptedEvent],
    ) -> None:
        """Count a message's events; set aside those that PostgreSQL refuses, and no other."""
        try:
            await count_events(connection, events)
        except _POISON as error:
            if len(events) == 1:
                await self._set_aside(js, message, encode(events), f"refused: {error}")
                return
            # One event spoils the message; halve it until that one stands alone.
            half = len(events) // 2
            await self._count_around_poison(js, connection, message, events[:half])
            await self._count_around_poison(js, connection, message, events[half:])

    async def _set_aside(
        self, js: JetStreamContext, message: Msg, content: bytes, reason: str
    ) -> None:
        """Put what can't be processed on the dead-letter stream, with the reason."""
        subject = events_subject(dead_letter_stream(self._settings.stream_name))
        digest = blake2b(content, digest_size=8).hexdigest()
        headers = {
            REASON_HEADER: " ".join(reason.split())[:500],
            # The same content of the same message set aside twice is kept once.
            "Nats-Msg-Id": f"dead-{message.metadata.sequence.stream}-{digest}",
        }
        await js.publish(subject, content, headers=headers)
        _log.error("consumer.set_aside", reason=reason)


def _read(message: Msg) -> _Taken:
    try:
        return _Taken(message, decode(message.data))
    except msgspec.DecodeError as error:
        return _Taken(message, [], str(error))


def _messages_wanted(messages: int, events: int) -> int:
    """How many messages hold about one batch of events, if they go on like these."""
    wanted = _BATCH_EVENTS * messages // max(events, 1)
    return min(max(wanted, _FEWEST_MESSAGES), _MOST_MESSAGES)


def _chunks(taken: Sequence[_Taken]) -> Iterator[list[_Taken]]:
    """Cut what was taken into batches to count together."""
    chunk: list[_Taken] = []
    size = 0
    for one in taken:
        chunk.append(one)
        size += len(one.events)
        if size >= _BATCH_EVENTS:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk
