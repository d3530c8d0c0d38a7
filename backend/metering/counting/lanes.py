"""Messages of the streams of usage for the worker: live usage first, then backfill.

Each lane fetches and decodes its next messages while PostgreSQL works on the ones before. Messages
that this worker has are kept from others for as long as counting takes. A stream that elects a
leader delays the messages of no other.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import NamedTuple, Self

import msgspec
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig
from nats.js.errors import NotFoundError

from backend.metering.events import AcceptedEvent, decode
from backend.metering.ingest.connection import STREAM_OUTAGES
from backend.metering.ingest.streams import BACKFILL, COUNTING, backfill_subject, events_subject

BATCH_EVENTS = 10_000
_FEWEST_MESSAGES = 20
_MOST_MESSAGES = 100  # of up to 700 kB each, however many events they contain
_WAIT_SECONDS = 0.25  # also how long a stop may take when there is nothing to do
# Short, so that another worker soon gets what a killed one had; an event counts once anyway.
_ACK_WAIT_SECONDS = 5.0
_KEEP_SECONDS = 2.0
_AGAIN_SECONDS = 0.5
_LOST_SECONDS = 30.0
"""A stream elects a leader within 9 s, and so does who makes its consumers; after this it is given
up, and looked for anew."""
_TO_ACKNOWLEDGE = "$JS.ACK."
"""What the reply address of a message begins with; of a status it does not."""
_GATHER_SECONDS = 0.1
"""From one fetch to the next of a lane whose messages come one by one: a transaction for each of
them takes more of the processor than the call that it is of, and people look once a second."""
_ARRIVAL_SECONDS = 2
"""How long a stop waits for messages that are on their way."""
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
    def place(self) -> tuple[str, int]:
        """Its stream, and its number there."""
        of_message = self.message.metadata
        return of_message.stream, int(of_message.sequence.stream)


class _Lane:
    """One subject's messages, the next of them always being fetched."""

    def __init__(self, js: JetStreamContext, stream_name: str, *, live: bool) -> None:
        self.live = live
        self._js = js
        self._stream_name = stream_name
        self._subscription: JetStreamContext.PullSubscription | None = None
        self._wanted = _FEWEST_MESSAGES
        self._answered = time.monotonic()
        self._not_before = 0.0
        self._ending = asyncio.Event()
        self.following = asyncio.create_task(self._fetch())

    def is_empty(self) -> bool:
        """Return whether the last fetch brought nothing; raise why the stream is given up."""
        return not self.following.result()

    def next(self) -> list[Taken]:
        """Return the fetched messages, and fetch the next."""
        taken = self.following.result()
        if taken:
            events = sum(len(each.events) for each in taken)
            if len(taken) < self._wanted:  # no more are there
                self._not_before = self._answered + _GATHER_SECONDS
            self._wanted = _messages_wanted(len(taken), events)
        self.following = asyncio.create_task(self._fetch())
        return taken

    async def _fetch(self) -> list[Taken]:
        """Fetch messages and decode them; none if none arrive within a quarter second.

        None either while the stream has no leader. Raises a NATS error if that lasts, or if there
        is no such stream.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._not_before - time.monotonic()):
                await self._ending.wait()
        if self._ending.is_set():
            return []
        try:
            if self._subscription is None:
                self._subscription = await self._subscribe()
            messages = await self._subscription.fetch(self._wanted, timeout=_WAIT_SECONDS)
        except TimeoutError:  # nats-py raises its own kind or asyncio's
            if self._subscription is not None:
                self._answered = time.monotonic()
                return []
            return await self._later(TimeoutError("the stream has no leader"))
        except NotFoundError:
            raise
        except NatsError as error:
            return await self._later(error)
        self._answered = time.monotonic()
        return [_read(message) for message in messages]

    def end(self) -> None:
        """Fetch nothing more beyond what is being fetched."""
        self._ending.set()

    def left_over(self) -> list[Msg]:
        """Take the messages that came after their fetch had ended, without asking for more."""
        if self._subscription is None:
            return []
        # nats-py hands them to the next fetch, and has no public way to take them without one
        queue = self._subscription._sub._pending_queue
        messages = []
        while not queue.empty():
            message = queue.get_nowait()
            if message.reply.startswith(_TO_ACKNOWLEDGE):
                messages.append(message)
        return messages

    async def _later(self, error: Exception) -> list[Taken]:
        if time.monotonic() - self._answered > _LOST_SECONDS:
            raise error
        if self._subscription is not None:
            with contextlib.suppress(NatsError):
                await self._subscription.unsubscribe()
            self._subscription = None
        await asyncio.sleep(_AGAIN_SECONDS)
        return []

    async def _subscribe(self) -> JetStreamContext.PullSubscription:
        subject_of, durable = (
            (events_subject, COUNTING) if self.live else (backfill_subject, BACKFILL)
        )
        return await self._js.pull_subscribe(
            subject_of(self._stream_name),
            durable=durable,
            stream=self._stream_name,
            config=ConsumerConfig(
                ack_policy=AckPolicy.EXPLICIT,
                ack_wait=_ACK_WAIT_SECONDS,
                max_ack_pending=10 * _MOST_MESSAGES,
            ),
        )


class Lanes:
    """The lanes of messages to count. Use :meth:`open`, which returns uncounted ones at its end."""

    def __init__(self, client: Client, lanes: list[_Lane]) -> None:
        self._client = client
        self._lanes = lanes
        self._live_turns = 0
        self._in_hand: dict[tuple[str, int], Msg] = {}

    @classmethod
    @asynccontextmanager
    async def open(
        cls, client: Client, js: JetStreamContext, stream_names: Iterable[str]
    ) -> AsyncIterator[Self]:
        """Begin to fetch; at the end, leave uncounted messages to other workers.

        ``js`` is JetStream by this client.
        """
        own = [_Lane(js, name, live=live) for live in (True, False) for name in stream_names]
        lanes = cls(client, own)
        keeping = asyncio.create_task(lanes._keep())
        try:
            yield lanes
        finally:
            keeping.cancel()
            await lanes._give_back()

    async def take(self) -> list[Taken]:
        """Return fetched messages, of live usage if there are any; none if none arrive soon."""
        following = [lane.following for lane in self._lanes]
        await asyncio.wait(following, return_when=asyncio.FIRST_COMPLETED)
        ready = [lane for lane in self._lanes if lane.following.done()]
        for lane in ready:
            if lane.is_empty():
                lane.next()
        full = [lane for lane in ready if lane.following.done()]
        if not full:
            return []
        live = [lane for lane in full if lane.live]
        backfill = [lane for lane in full if not lane.live]
        if live and not (backfill and self._live_turns >= _LIVE_TURNS):
            lane = live[0]
            self._live_turns += 1
        else:
            lane = backfill[0]
            self._live_turns = 0
        self._lanes.remove(lane)
        self._lanes.append(lane)  # the other streams' turn
        taken = lane.next()
        self._in_hand.update((each.place, each.message) for each in taken)
        return taken

    async def acknowledge(self, taken: Taken) -> None:
        """Acknowledge a message that was counted or set aside."""
        self._in_hand.pop(taken.place, None)
        await taken.message.ack()

    async def put_off(self, taken: Taken, seconds: float) -> None:
        """Let a message be delivered again, to any worker, after ``seconds``."""
        self._in_hand.pop(taken.place, None)
        await taken.message.nak(delay=seconds)

    async def _keep(self) -> None:
        """Report to the stream that work on the current messages continues."""
        while True:
            await asyncio.sleep(_KEEP_SECONDS)
            for message in list(self._in_hand.values()):
                with contextlib.suppress(NatsError):  # acknowledged since, or the connection went
                    await message.in_progress()

    async def _give_back(self) -> None:
        with contextlib.suppress(*STREAM_OUTAGES):
            for message in self._in_hand.values():
                await message.nak()
        for lane in self._lanes:
            lane.end()
        fetched = await asyncio.gather(
            *(lane.following for lane in self._lanes), return_exceptions=True
        )
        for taken_last in fetched:
            if isinstance(taken_last, BaseException):
                continue
            with contextlib.suppress(*STREAM_OUTAGES):
                for taken in taken_last:
                    await taken.message.nak()
        with contextlib.suppress(*STREAM_OUTAGES):
            await self._arrived()
            while late := [message for lane in self._lanes for message in lane.left_over()]:
                for message in late:
                    await message.nak()
                await self._arrived()

    async def _arrived(self) -> None:
        """Return once all has come that was sent here; raises a NATS error."""
        await self._client.flush(_ARRIVAL_SECONDS)


def _read(message: Msg) -> Taken:
    try:
        return Taken(message, decode(message.data))
    except msgspec.DecodeError as error:
        return Taken(message, [], str(error))


def _messages_wanted(messages: int, events: int) -> int:
    """Return how many messages make about one batch of events, if they are like these."""
    wanted = BATCH_EVENTS * messages // max(events, 1)
    return min(max(wanted, _FEWEST_MESSAGES), _MOST_MESSAGES)
