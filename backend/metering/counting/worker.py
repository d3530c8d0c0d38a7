"""The worker's side of the usage stream: take batches, count them, then acknowledge."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import suppress
from hashlib import blake2b

import asyncpg
import structlog
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.js import JetStreamContext

from backend.kit.periodic import OUTAGES, every, passed
from backend.metering.counting.batches import count_events
from backend.metering.counting.lanes import BATCH_EVENTS, Lanes, Taken
from backend.metering.events import AcceptedEvent, encode
from backend.metering.ingest.connection import STREAM_OUTAGES, open_connection, servers_of
from backend.metering.ingest.dead_letters import REASON_HEADER
from backend.metering.ingest.streams import (
    dead_letter_stream,
    ensure_streams,
    events_subject,
    possible_streams,
    present_streams,
    usage_streams,
)
from backend.settings import Settings
from backend.storage.database import Database
from backend.storage.outages import DISK_FULL, is_outage, sqlstate_of

_log = structlog.get_logger(__name__)

_PAUSE_SECONDS = 0.5

_ALONE_AFTER = 3
"""Deliveries after which a message is counted alone, so that it does not fail the batch of
others."""
_SET_ASIDE_AFTER = 10
"""Deliveries after which a message that fails while others are counted is set aside."""
AGAIN_SECONDS = 5.0
_ANSWER_SECONDS = 2.0
"""For an answer of JetStream's; none comes from a stream without a leader."""
_LOOK_SECONDS = 30.0
"""Until streams are looked for that another setting, or another's, has brought."""
_MOST_SUSPECTS = 10_000


class CountingWorker:
    """Counts the events of the streams of usage. Any number may run at once, anywhere.

    A message that can't be counted delays no other: if PostgreSQL refuses it for another reason
    than an outage, it is halved until the faulty event is alone, and that is set aside. Faults that
    look like an outage are caught too: a redelivered message is counted alone, and set aside if it
    keeps failing while others are counted.
    """

    def __init__(self, database: Database, nats_url: str, settings: Settings) -> None:
        self._database = database
        self._nats_url = nats_url
        self._settings = settings
        self._chunks_counted = 0
        self._suspects: dict[tuple[str, int], int] = {}
        """By a message's place, how many chunks had been counted when it first failed alone."""

    async def run(self, stop: asyncio.Event) -> None:
        """Work until ``stop`` is set; survive the loss of PostgreSQL and of NATS."""

        async def act() -> None:
            await self._work(stop)

        # What an outage interrupts was not acknowledged, so it is delivered again.
        await every(_PAUSE_SECONDS, act, stop, name="consumer", outages=(NatsError, *OUTAGES))

    async def _work(self, stop: asyncio.Event) -> None:
        client = await open_connection(servers_of(self._nats_url, self._settings), "farebox-worker")
        try:
            js = client.jetstream(timeout=_ANSWER_SECONDS)
            await ensure_streams(js, self._settings)
            names = await self._stream_names(js)
            async with (
                self._database.raw() as connection,
                Lanes.open(client, js, names) as lanes,
            ):
                others = asyncio.create_task(self._others(js, names))
                try:
                    while not stop.is_set() and not others.done():
                        await self._take_turn(lanes, js, connection)
                finally:
                    others.cancel()
            await client.flush()  # so that the server has the last acknowledgements
        finally:
            await client.close()

    async def _take_turn(
        self, lanes: Lanes, js: JetStreamContext, connection: asyncpg.Connection
    ) -> None:
        taken = await lanes.take()
        if not taken and connection.is_closed():
            raise ConnectionError("PostgreSQL closed the connection")
        for chunk in _chunks(taken):
            await self._count_chunk(lanes, js, connection, chunk)
        await passed()

    async def _stream_names(self, js: JetStreamContext) -> set[str]:
        """Return the streams to count: those wanted, and those left of when more were wanted."""
        present = await present_streams(js, possible_streams(self._settings.stream_name))
        return present.keys() | set(usage_streams(self._settings))

    async def _others(self, js: JetStreamContext, names: set[str]) -> None:
        """Return once there are other streams than those."""
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            with suppress(*STREAM_OUTAGES):
                if await self._stream_names(js) != names:
                    return

    async def _count_chunk(
        self,
        lanes: Lanes,
        js: JetStreamContext,
        connection: asyncpg.Connection,
        chunk: Sequence[Taken],
    ) -> None:
        """Count messages and acknowledge them; raise what is an outage of PostgreSQL or NATS."""
        try:
            counted = await count_events(
                connection, [event for taken in chunk for event in taken.events]
            )
        except Exception as error:
            if is_outage(error):
                if len(chunk) > 1 or chunk[0].deliveries <= _ALONE_AFTER:
                    raise
                await self._try_again_or_set_aside(lanes, js, connection, chunk[0], error)
                return
            for taken in chunk:
                await self._count_around_poison(js, connection, taken.message, taken.events)
        else:
            _log.debug("consumer.counted", new=counted.new, duplicates=counted.duplicates)
        for taken in chunk:
            if taken.unreadable is not None:
                reason = f"not readable: {taken.unreadable}"
                await self._set_aside(js, taken.message, taken.message.data, reason)
            await lanes.acknowledge(taken)
            self._suspects.pop(taken.place, None)
        # A probe of the stream holds no event, and so says nothing of PostgreSQL
        self._chunks_counted += any(taken.events for taken in chunk)

    async def _try_again_or_set_aside(
        self,
        lanes: Lanes,
        js: JetStreamContext,
        connection: asyncpg.Connection,
        taken: Taken,
        error: Exception,
    ) -> None:
        """Handle a message that failed alone with an error that looks like an outage.

        It is an outage while nothing else can be counted either, and if the disk is full.
        """
        if len(self._suspects) >= _MOST_SUSPECTS:
            self._suspects.clear()
        counted_then = self._suspects.setdefault(taken.place, self._chunks_counted)
        others_were_counted = self._chunks_counted > counted_then
        if (
            others_were_counted
            and taken.deliveries > _SET_ASIDE_AFTER
            and sqlstate_of(error) != DISK_FULL
        ):
            times = f"failed {taken.deliveries} times"
            await self._set_aside(js, taken.message, taken.message.data, f"{times}: {error}")
            await lanes.acknowledge(taken)
            del self._suspects[taken.place]
            return
        _log.warning("consumer.message_failed", message=taken.place, deliveries=taken.deliveries)
        await lanes.put_off(taken, AGAIN_SECONDS)
        if connection.is_closed():
            raise error

    async def _count_around_poison(
        self,
        js: JetStreamContext,
        connection: asyncpg.Connection,
        message: Msg,
        events: list[AcceptedEvent],
    ) -> None:
        """Count a message's events; set aside those that PostgreSQL refuses, and no others."""
        try:
            await count_events(connection, events)
        except Exception as error:
            if is_outage(error):
                raise
            if len(events) == 1:
                await self._set_aside(js, message, encode(events), f"refused: {error}")
                return
            # One event is refused with the whole message; halve it until that one is alone.
            half = len(events) // 2
            await self._count_around_poison(js, connection, message, events[:half])
            await self._count_around_poison(js, connection, message, events[half:])

    async def _set_aside(
        self, js: JetStreamContext, message: Msg, content: bytes, reason: str
    ) -> None:
        """Publish what can't be counted to the dead-letter stream, with the reason."""
        subject = events_subject(dead_letter_stream(self._settings.stream_name))
        of = message.metadata
        digest = blake2b(content, digest_size=8).hexdigest()
        headers = {
            REASON_HEADER: " ".join(reason.split())[:500],
            # The same content of the same message is kept once.
            "Nats-Msg-Id": f"dead-{of.stream}-{of.sequence.stream}-{digest}",
        }
        await js.publish(subject, content, headers=headers)
        _log.error("consumer.set_aside", reason=reason)


def _chunks(taken: Sequence[Taken]) -> Iterator[list[Taken]]:
    """Divide messages into batches; those that were redelivered too often come alone, last."""
    chunk: list[Taken] = []
    size = 0
    for each in taken:
        if each.deliveries > _ALONE_AFTER:
            continue
        chunk.append(each)
        size += len(each.events)
        if size >= BATCH_EVENTS:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk
    for each in taken:
        if each.deliveries > _ALONE_AFTER:
            yield [each]
