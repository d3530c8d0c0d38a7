"""A streamed answer on its way from the provider to the caller, metered as it passes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Final

import httpx
import structlog

from backend.errors import FareboxError
from backend.gateway.call import Call, Status
from backend.gateway.incoming import Incoming
from backend.gateway.protocols.base import Failure, Reader
from backend.gateway.recorder import Recorder
from backend.gateway.refusals import failed
from backend.gateway.sse import Event, TooLong

_log = structlog.get_logger(__name__)


KEEP_ALIVE: Final = b": keep-alive\n\n"
"""A comment, which clients skip: it keeps the proxies between from closing a silent stream."""
KEEP_ALIVE_SECONDS: Final = 10.0
"""How long a caller waits for the first byte. Until then, a failure is told by its status."""


class Relay:
    """Iterate ``events`` once, and call ``abandon`` afterwards in every case."""

    def __init__(self, call: Call, opening: asyncio.Task[Incoming], recorder: Recorder) -> None:
        """``opening`` records the call itself if it fails, or is canceled."""
        self._call = call
        self._opening = opening
        self._recorder = recorder
        self._recorded = False
        self.events = self._relay()

    def abandon(self) -> None:
        """Record what was not recorded yet: the caller pays for what was generated until now.

        The generator can't do that itself: one that never began, or that the server dropped between
        two chunks, runs no ``finally`` of its own.
        """
        if not self._opening.done():
            self._opening.cancel()
        elif (incoming := self._opened()) is not None and not self._recorded:
            self._recorded = True
            self._hear(incoming.reader)
            self._recorder.record_later(self._call, "aborted")
        self._recorder.spawn(self._close())

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
        self._recorded = True
        await self._recorder.record(self._call, status)
        if status == "completed":
            yield reader.last()
        else:
            failure = reader.failure or Failure("The model provider broke the stream off.")
            yield self._call.asked.protocol.error_event(failed(self._call, failure))

    def _passed(self, reader: Reader, events: list[Event]) -> bytes:
        """Read events; return what the caller gets of them."""
        feed = reader.feed
        passed = b"".join([KEEP_ALIVE if event.is_comment else feed(event) for event in events])
        self._hear(reader)
        return passed

    def _hear(self, reader: Reader) -> None:
        call = self._call
        call.said, call.usage, call.answered = reader.said, reader.usage, reader.answered
        call.answer_id = reader.answer_id
        call.heard()
