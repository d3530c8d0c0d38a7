"""Messages of the usage stream as the worker takes them: live usage first, then backfill.

Each lane has its next messages fetched and read while PostgreSQL works on the ones before. What is
in hand is kept from other workers for as long as it takes to count it.
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
_MOST_MESSAGES = 100  # of up to 700 kB each, whatever they turn out to hold
_WAIT_SECONDS = 0.25  # also how long a stop may take that finds nothing to do
# Short, so that what a killed worker had is soon another's; an event that comes twice counts once.
_ACK_WAIT_SECONDS = 5.0
_KEEP_SECONDS = 2.0
_LIVE_TURNS = 8
"""Turns that live usage has before backfill gets one, where both never end."""


class Taken(NamedTuple):
    """A message and what is in it: its events, or why it can't be read."""

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
    """One subject's messages, the next of them always on their way."""

    def __init__(self, subscription: JetStreamContext.PullSubscription) -> None:
        self._subscription = subscription
        self._wanted = _FEWEST_MESSAGES
        self.following = asyncio.create_task(self._fetch())

    def next(self) -> list[Taken]:
        """Return what has come, and fetch on."""
        taken = self.following.result()
        if taken:
            events = sum(len(each.events) for each in taken)
            self._wanted = _messages_wanted(len(taken), events)
        self.following = asyncio.create_task(self._fetch())
        return taken

    async def _fetch(self) -> list[Taken]:
        """Fetch messages and read them; none if none come soon."""
        try:
            messages = await self._subscription.fetch(self._wanted, timeout=_WAIT_SECONDS)
        except TimeoutError:  # nats-py raises its own kind or asyncio's
            return []
        return [_read(message) for message in messages]


class Lanes:
    """What there is to count. Open with :meth:`open`, which gives back what is left over."""

    def __init__(self, live: _Lane, backfill: _Lane) -> None:
        self._live = live
        self._backfill = backfill
        self._live_turns = 0
        self._in_hand: dict[int, Msg] = {}

    @classmethod
    @asynccontextmanager
    async def open(cls, js: JetStreamContext, stream_name: str) -> AsyncIterator[Self]:
        """Begin to fetch; at the end, hand to other workers what was fetched and not counted."""
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
        """Return messages that have come, of live usage if there are any; none if none do soon."""
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
        """Have the stream forget a message: it was counted, or set aside."""
        self._in_hand.pop(taken.sequence, None)
        await taken.message.ack()

    async def put_off(self, taken: Taken, seconds: float) -> None:
        """Have a message delivered again, to any worker, after ``seconds``."""
        self._in_hand.pop(taken.sequence, None)
        await taken.message.nak(delay=seconds)

    async def _keep(self) -> None:
        """Tell the stream that what is in hand is being worked on."""
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
    """How many messages hold about one batch of events, if they go on like these."""
    wanted = BATCH_EVENTS * messages // max(events, 1)
    return min(max(wanted, _FEWEST_MESSAGES), _MOST_MESSAGES)
