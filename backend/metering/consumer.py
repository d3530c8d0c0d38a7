"""The worker's side of the usage stream: take batches, count them, then acknowledge."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from hashlib import blake2b

import asyncpg
import msgspec
import structlog
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig

from backend.metering.counting import count_events
from backend.metering.dead_letters import REASON_HEADER
from backend.metering.events import AcceptedEvent, decode, encode
from backend.metering.stream import (
    COUNTING,
    dead_letter_stream,
    ensure_streams,
    events_subject,
    open_connection,
)
from backend.settings import Settings
from backend.storage.database import Database

_log = structlog.get_logger(__name__)

_BATCH_MESSAGES = 50
_BATCH_EVENTS = 10_000
_WAIT_SECONDS = 1.0
_ACK_WAIT_SECONDS = 5.0
_PAUSE_SECONDS = 0.5

# What PostgreSQL answers when it is the data's fault: no retry will help.
_POISON = (
    asyncpg.exceptions.DataError,
    asyncpg.exceptions.IntegrityConstraintViolationError,
    msgspec.DecodeError,
)


class UsageConsumer:
    """Counts what the stream holds. As many as wanted may run at once, anywhere."""

    def __init__(self, database: Database, nats_url: str, settings: Settings) -> None:
        self._database = database
        self._nats_url = nats_url
        self._settings = settings

    async def run(self, stop: asyncio.Event) -> None:
        """Work until ``stop`` is set; outlive the loss of PostgreSQL and of NATS."""
        while not stop.is_set():
            try:
                await self._work(stop)
            except (
                NatsError,
                OSError,
                TimeoutError,
                asyncpg.PostgresError,
                asyncpg.InterfaceError,
                asyncpg.InternalClientError,  # what a connection lost in mid-call may raise
            ) as error:
                # Nothing was acknowledged, so nothing is lost: the messages come again.
                _log.warning("consumer.interrupted", error=str(error) or type(error).__name__)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), _PAUSE_SECONDS)

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
                    max_ack_pending=4 * _BATCH_MESSAGES,
                ),
            )
            async with self._database.raw() as connection:
                while not stop.is_set():
                    try:
                        taken = await subscription.fetch(_BATCH_MESSAGES, timeout=_WAIT_SECONDS)
                    except TimeoutError:  # nats-py raises its own kind or asyncio's
                        if connection.is_closed():
                            raise ConnectionError("PostgreSQL closed the connection") from None
                        continue
                    await self._count(js, connection, taken)
        finally:
            await client.close()

    async def _count(
        self, js: JetStreamContext, connection: asyncpg.Connection, taken: Sequence[Msg]
    ) -> None:
        chunk: list[tuple[Msg, list[AcceptedEvent]]] = []
        size = 0
        for message in taken:
            try:
                events = decode(message.data)
            except msgspec.DecodeError as error:
                await self._set_aside(js, message, message.data, f"not readable: {error}")
                await message.ack()
                continue
            chunk.append((message, events))
            size += len(events)
            if size >= _BATCH_EVENTS:
                await self._count_chunk(js, connection, chunk)
                chunk, size = [], 0
        if chunk:
            await self._count_chunk(js, connection, chunk)

    async def _count_chunk(
        self,
        js: JetStreamContext,
        connection: asyncpg.Connection,
        chunk: Sequence[tuple[Msg, list[AcceptedEvent]]],
    ) -> None:
        try:
            counted = await count_events(
                connection, [event for _, events in chunk for event in events]
            )
        except _POISON:
            for message, events in chunk:
                await self._count_around_poison(js, connection, message, events)
        else:
            _log.debug("consumer.counted", new=counted.new, known=counted.known)
        for message, _ in chunk:
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
