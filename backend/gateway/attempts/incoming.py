"""A streamed answer on its way in: its events as they come, within the upstream's timeouts."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

from backend.gateway.attempts.attempt import Attempt, AttemptFailed
from backend.gateway.attempts.refusals import failed
from backend.gateway.call import Call
from backend.gateway.connections.pool import Answer
from backend.gateway.protocols.parts.base import Failure, Reader
from backend.gateway.sse import Event, RawPieces, TooLong, parser_for

_BROKEN_OFF = "The model provider broke the stream off."


class Incoming:
    """A streamed answer that has begun. ``close`` it in every case.

    ``held`` is what the caller gets of what was read until the answer was known to be one.
    """

    def __init__(self, call: Call, attempt: Attempt, response: Answer, reader: Reader) -> None:
        self.reader = reader
        self.held = b""
        self._call = call
        self._attempt = attempt
        self._response = response
        media_type = response.headers.get("content-type", "")
        self._parser = parser_for(media_type, is_raw=call.asked.is_raw)
        reader.is_raw = isinstance(self._parser, RawPieces)
        if reader.is_raw:
            reader.media_type = media_type or "application/octet-stream"
        self._pieces = response.aiter_bytes()
        self._heard = time.monotonic()
        self._rest: list[Event] = []
        self._is_over = False
        self._is_noted = False

    async def begin(self) -> None:
        """Read until the caller can be given something; raises ``AttemptFailed``."""
        reader, passed = self.reader, []
        while not self._is_known():
            events = await self._read()
            if events is None:
                break
            for place, event in enumerate(events, 1):
                if not event.is_comment:
                    passed.append(reader.feed(event))
                if self._is_known():
                    # The rest is read once this has been passed on: however the bytes were cut
                    self._rest = events[place:]
                    break
        if reader.failure is not None:
            raise AttemptFailed(failed(self._call, reader.failure), "target", "error_in_answer")
        if not (reader.committed or reader.finished):
            error = failed(self._call, Failure(_BROKEN_OFF))
            raise AttemptFailed(error, "target", "broken_off")
        self.held = b"".join(passed)
        self._heard = time.monotonic()
        self._attempt.first_token()

    async def events(self) -> AsyncIterator[list[Event]]:
        """Yield what comes after ``held``, as it comes.

        Raises httpx's errors, ``TooLong``, and ``TimeoutError`` for a stream that is silent for too
        long or takes too long as a whole.
        """
        self._attempt.note_first_token()
        if self._rest:
            rest, self._rest = self._rest, []
            yield rest
        while not self.reader.ended:
            async with asyncio.timeout(self._seconds_left()):
                events = await self._read()
            if events is None:
                return
            if any(not event.is_comment for event in events):
                self._heard = time.monotonic()
            yield events

    @property
    def is_closed(self) -> bool:
        """Whether nothing is left for ``close`` to do: the stream has ended, and all has come."""
        return self._is_noted and self._response.is_closed

    def resume(self) -> None:
        """Let ``events`` be iterated again, after its reader was canceled while it waited."""
        self._pieces = self._response.aiter_bytes()
        self._heard = time.monotonic()

    def end(self, *, well: bool) -> None:
        """Note how the stream ended, once its caller has all of it."""
        self._is_noted = True
        if well:
            hid_thoughts = self.reader.hid_thoughts
            if hid_thoughts is not None:
                self._attempt.target.hides_thoughts = hid_thoughts
            self._attempt.succeed()
        else:
            error = failed(self._call, self.reader.failure or Failure(_BROKEN_OFF))
            self._attempt.fail(AttemptFailed(error, "target", "broken_off"))

    async def close(self) -> None:
        """Disconnect; a stream that has not ended was left by its caller."""
        self._attempt.note_first_token()
        self._attempt.leave()
        await self._response.aclose()

    def _is_known(self) -> bool:
        """Return whether it is an answer or a failure: until then it may be either."""
        return self.reader.committed or self.reader.ended

    async def _read(self) -> list[Event] | None:
        """Return the next events, perhaps none; None at the end."""
        if self._is_over:
            return None
        try:
            return self._parser.feed(await anext(self._pieces))
        except StopAsyncIteration:
            self._is_over = True
            return self._parser.close()

    def _seconds_left(self) -> float:
        timeouts = self._attempt.target.upstream.timeouts
        silent = time.monotonic() - self._heard
        return min(timeouts.idle_seconds - silent, timeouts.total_seconds - self._call.seconds)


async def begin_stream(call: Call, attempt: Attempt, response: Answer) -> Incoming:
    """Return a streamed answer once something of it has come; raises ``AttemptFailed``."""
    _, protocol = call.spoken_by(attempt.target)
    incoming = Incoming(call, attempt, response, protocol.reader(call.asked))
    try:
        await incoming.begin()
    except TooLong as error:
        broken = failed(call, Failure(_BROKEN_OFF))
        raise AttemptFailed(broken, "target", "broken_off") from error
    return incoming
