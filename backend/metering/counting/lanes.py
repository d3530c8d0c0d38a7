"""Messages of the usage stream for the worker: live usage first, then backfill.

Each lane fetches and decodes its next messages while PostgreSQL works on the ones before. Messages
that this worker has are kept from others for as long as counting takes.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple, Self

import msgspec
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig

from backend.metering.events import AcceptedEvent, decode
from backend.metering.ingest.stream import BACKFILL, COUNTING, backfill_subject, events_subject

BATCH_EVENTS = 10_000
_FEWEST_MESSAGES = 20
_MOST_MESSAGES = 100  # of up to 700 kB each, however many events they contain
_WAIT_SECONDS = 0.25  # also how long a stop may take when there is nothing to do
# Short, so that another worker soon gets what a killed one had; an event counts once anyway.
_ACK_WAIT_SECONDS = 5.0
_KEEP_SECONDS = 2.0
_LIVE_TURNS = 8
"""Turns of live usage before backfill gets one, while both have messages."""


class Taken(NamedTuple):
    """A message with its events, or why it can't be read."""

    message: Msg
    events: list[AcceptedEvent]
    unreadable: str | None = None

    @property
    def deliveries(self) -> int:
        """How often it has been delivered, this time included."""
        return self.message.metadata.num_delivered or 1

    @property
    def sequence(self) -> int:
        """Its number in the stream."""
        return int(self.message.metadata.sequence.stream)


class _Lane:
    """One subject's messages, the next of them always being fetched."""

    def __init__(self, subscription: JetStreamContext.PullSubscription) -> None:
        self._subscription = subscription
        self._wanted = _FEWEST_MESSAGES
        self.following = asyncio.create_task(self._fetch())

    def next(self) -> list[Taken]:
        """Return the fetched messages, and fetch the next."""
        taken = self.following.result()
        if taken:
            events = sum(len(each.events) for each in taken)
            self._wanted = _messages_wanted(len(taken), events)
        self.following = asyncio.create_task(self._fetch())
        return taken

    async def _fetch(self) -> list[Taken]:
        """Fetch messages and decode them; none if none arrive within a quarter second."""
        try:
            messages = await self._subscription.fetch(self._wanted, timeout=_WAIT_SECONDS)
        except TimeoutError:  # nats-py raises its own kind or asyncio's
            return []
        return [_read(message) for message in messages]


class Lanes:
    """The lanes of messages to count. Use :meth:`open`, which returns uncounted ones at its end."""

    def __init__(self, live: _Lane, backfill: _Lane) -> None:
        self._live = live
        self._backfill = backfill
        self._live_turns = 0
        self._in_hand: dict[int, Msg] = {}

    @classmethod
    @asynccontextmanager
    async def open(cls, js: JetStreamContext, stream_name: str) -> AsyncIterator[Self]:
        """Begin to fetch; at the end, leave uncounted messages to other workers."""
        lanes = cls(
            _Lane(await _subscribe(js, stream_name, events_subject(stream_name), COUNTING)),
            _Lane(await _subscribe(js, stream_name, backfill_subject(stream_name), BACKFILL)),
        )
        keeping = asyncio.create_task(lanes._keep())
        try:
            yield lanes
        finally:
            keeping.cancel()
            await lanes._give_back()

    async def take(self) -> list[Taken]:
        """Return fetched messages, of live usage if there are any; none if none arrive soon."""
        await asyncio.wait(
            [self._live.following, self._backfill.following], return_when=asyncio.FIRST_COMPLETED
        )
        live_ready, backfill_ready = (
            lane.following.done() for lane in (self._live, self._backfill)
        )
        if live_ready and not (backfill_ready and self._live_turns >= _LIVE_TURNS):
            taken = self._live.next()
            self._live_turns = self._live_turns + 1 if taken else 0
        else:
            taken = self._backfill.next()
            self._live_turns = 0
        self._in_hand.update((each.sequence, each.message) for each in taken)
        return taken

    async def acknowledge(self, taken: Taken) -> None:
        """Acknowledge a message that was counted or set aside."""
        self._in_hand.pop(taken.sequence, None)
        await taken.message.ack()

    async def put_off(self, taken: Taken, seconds: float) -> None:
        """Let a message be delivered again, to any worker, after ``seconds``."""
        self._in_hand.pop(taken.sequence, None)
        await taken.message.nak(delay=seconds)

    async def _keep(self) -> None:
        """Report to the stream that work on the current messages continues."""
        while True:
            await asyncio.sleep(_KEEP_SECONDS)
            for message in list(self._in_hand.values()):
                with contextlib.suppress(NatsError):  # acknowledged since, or the connection went
                    await message.in_progress()

    async def _give_back(self) -> None:
        with contextlib.suppress(NatsError, OSError, TimeoutError):
            for message in self._in_hand.values():
                await message.nak()
            for lane in (self._live, self._backfill):
                for taken in await lane.following:
                    await taken.message.nak()


async def _subscribe(
    js: JetStreamContext, stream_name: str, subject: str, durable: str
) -> JetStreamContext.PullSubscription:
    return await js.pull_subscribe(
        subject,
        durable=durable,
        stream=stream_name,
        config=ConsumerConfig(
            ack_policy=AckPolicy.EXPLICIT,
            ack_wait=_ACK_WAIT_SECONDS,
            max_ack_pending=10 * _MOST_MESSAGES,
        ),
    )


def _read(message: Msg) -> Taken:
    try:
        return Taken(message, decode(message.data))
    except msgspec.DecodeError as error:
        return Taken(message, [], str(error))


def _messages_wanted(messages: int, events: int) -> int:
    """Return how many messages make about one batch of events, if they are like these."""
    wanted = BATCH_EVENTS * messages // max(events, 1)
    return min(max(wanted, _FEWEST_MESSAGES), _MOST_MESSAGES)
