"""A streamed answer on its way from the provider to the caller, metered as it passes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Final

import httpx
import structlog

from backend.errors import FareboxError
from backend.gateway.attempts.incoming import Incoming
from backend.gateway.attempts.refusals import failed
from backend.gateway.call import Call, Status
from backend.gateway.costs import Cost
from backend.gateway.protocols.parts.base import Failure, Reader
from backend.gateway.recorder import Recorder
from backend.gateway.sse import Event, TooLong

_log = structlog.get_logger(__name__)


KEEP_ALIVE: Final = b": keep-alive\n\n"
"""A comment, which clients skip: it keeps the proxies between from closing a silent stream."""
KEEP_ALIVE_SECONDS: Final = 10.0
"""How long a caller waits for the first byte. Until then, a failure is told by its status."""


class Relay:
    """Iterate ``events`` once, and call ``abandon`` afterwards in every case."""

    def __init__(
        self,
        call: Call,
        opening: asyncio.Task[Incoming],
        recorder: Recorder,
        cost: Callable[[Call], Awaitable[Cost | None]],
    ) -> None:
        """``opening`` records the call itself if it fails, or is canceled.

        ``cost`` says what a recorded call costs.
        """
        self._call = call
        self._opening = opening
        self._recorder = recorder
        self._cost = cost
        self._recorded = False
        self._is_passed = False
        """Whether all of it was passed on: the generator has nothing more to do."""
        self.is_cut = False
        """Whether it broke off where no event can say so."""
        self.events = self._relay()

    @property
    def is_events(self) -> bool:
        """Whether it has events, among which comments and errors have a place."""
        return not self._call.asked.is_raw

    @property
    def media_type(self) -> str:
        """The media type of the answer: of one that is no events, the provider's."""
        incoming = self._opened() if self._opening.done() else None
        return "text/event-stream" if incoming is None else incoming.reader.media_type

    def abandon(self) -> None:
        """Record what was not recorded yet: the caller pays for what was generated until now.

        The generator can't do that itself: one that never began, or that the server dropped between
        two chunks, runs no ``finally`` of its own. Where the model may think unseen, only the end
        of the stream says how much: it is read on, and billed as a whole answer.
        """
        if self._may_be_read_on():
            self._recorded = True
            self._recorder.spawn(self._read_on())
            return
        if not self._opening.done():
            self._opening.cancel()
        elif (incoming := self._opened()) is not None and not self._recorded:
            self._recorded = True
            self._hear(incoming.reader)
            self._recorder.record_later(self._call, "aborted")
        if self._is_passed and self._is_closed:
            return  # as most end: a task would have nothing to do
        self._recorder.spawn(self._close())

    @property
    def _is_closed(self) -> bool:
        """Whether its answer, if one was opened, has ended and is closed."""
        if not self._opening.done():
            return False
        incoming = self._opened()
        return incoming is None or incoming.is_closed

    def _may_be_read_on(self) -> bool:
        if self._recorded or not self._call.may_think_unseen:
            return False
        if not self._opening.done():
            return True
        incoming = self._opened()
        return incoming is not None and not incoming.reader.ended

    async def _read_on(self) -> None:
        """Read a stream that its caller left to its end, or until this process ends; record it."""
        await self.events.aclose()
        reading = asyncio.create_task(self._read_rest())
        closing = asyncio.create_task(self._recorder.closing.wait())
        await asyncio.wait({reading, closing}, return_when=asyncio.FIRST_COMPLETED)
        reading.cancel()
        closing.cancel()
        await asyncio.wait({reading, closing})
        if not self._opening.done():
            self._opening.cancel()
            await asyncio.wait({self._opening})
        incoming = self._opened()
        if incoming is None:
            return  # it has recorded itself
        self._hear(incoming.reader)
        if incoming.reader.finished:
            incoming.end(well=True)
        await incoming.close()
        await self._recorder.record(self._call, "aborted")

    async def _read_rest(self) -> None:
        await asyncio.wait({self._opening})
        if (incoming := self._opened()) is None:
            return
        incoming.resume()
        try:
            async for events in incoming.events():
                self._passed(incoming.reader, events)
        except (httpx.HTTPError, TooLong, TimeoutError) as error:
            _log.warning("gateway.left_stream_broke", call=self._call.event_id, error=repr(error))

    async def _close(self) -> None:
        await self.events.aclose()
        await asyncio.wait({self._opening})
        if (incoming := self._opened()) is not None:
            await incoming.close()

    def _opened(self) -> Incoming | None:
        """Return the answer that was opened, if one was."""
        opening = self._opening
        failed_to_open = opening.cancelled() or opening.exception() is not None
        return None if failed_to_open else opening.result()

    async def _relay(self) -> AsyncGenerator[bytes, None]:
        while not self._opening.done():
            # Nothing of an answer has come yet, and another target may be tried: to the caller and
            # the proxies between, this says that it goes on
            yield KEEP_ALIVE
            await asyncio.wait({self._opening}, timeout=KEEP_ALIVE_SECONDS)
        try:
            incoming = self._opening.result()
        except FareboxError as error:
            yield self._call.asked.protocol.error_event(error)
            return
        async for passed in self._answer(incoming):
            yield passed
        self._is_passed = True

    async def _answer(self, incoming: Incoming) -> AsyncGenerator[bytes, None]:
        status: Status = "failed"
        reader = incoming.reader
        self._hear(reader)
        if incoming.held:
            yield incoming.held
        try:
            async for events in incoming.events():
                # What came at once goes on at once: a send for each chunk would cost the most.
                if passed := self._passed(reader, events):
                    yield passed
        except (httpx.HTTPError, TooLong, TimeoutError) as error:
            reader.finished = False
            model = self._call.admitted.model.id
            _log.warning("gateway.stream_broke", model=model, error=repr(error))
        if reader.failure is None and reader.finished:
            status = "completed"
        incoming.end(well=status == "completed")
        broken_off: FareboxError | None = None
        if status != "completed":
            failure = reader.failure or Failure("The model provider broke the stream off.")
            broken_off = self._call.error = failed(self._call, failure)
        self._recorded = True
        # Only events have room for it
        meanwhile = self._cost if self.is_events else None
        costs = await self._recorder.record(self._call, status, meanwhile=meanwhile)
        if not self.is_events:
            self.is_cut = status != "completed"
            return
        # Before the last event, with which clients stop to read
        cost = b"" if costs is None else costs.comment
        if broken_off is None:
            yield cost + reader.last()
        else:
            yield cost + self._call.asked.protocol.error_event(broken_off)

    def _passed(self, reader: Reader, events: list[Event]) -> bytes:
        """Read events; return what the caller gets of them."""
        feed = reader.feed
        passed = b"".join([KEEP_ALIVE if event.is_comment else feed(event) for event in events])
        self._hear(reader)
        return passed

    def _hear(self, reader: Reader) -> None:
        call = self._call
        call.said, call.usage, call.answered = reader.said, reader.usage, reader.answered
        call.answer_id, call.used_tier = reader.answer_id, reader.tier
        call.heard()
