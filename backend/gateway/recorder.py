"""Records every call's usage: by the stream, or in the database if the stream is away."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any, TypeVar

import structlog

from backend.errors import FareboxError
from backend.gateway.call import Call, Status
from backend.gateway.errors import RecordingUnavailable
from backend.gateway.holds.holds import Holds
from backend.gateway.measures.measures import Measures
from backend.gateway.publishing import Publisher
from backend.gateway.request_log.log import RequestLog
from backend.kit.backoff import pauses
from backend.kit.periodic import OUTAGES
from backend.metering.counting.batches import count_events
from backend.metering.events import AcceptedEvent, encode
from backend.metering.ingest.stream import UsageStream
from backend.storage.database import Database

_log = structlog.get_logger(__name__)

_MOST_STRANDED = 1_000
"""Events that neither engine has stored, before calls are refused."""
_ANSWER_WAITS_SECONDS = 10.0
_CLOSE_SECONDS = 10.0
_FIRST_PAUSE_SECONDS = 0.5
_LONGEST_PAUSE_SECONDS = 10.0

Said = TypeVar("Said")


class _Steps:
    """What of a call's recording is done: it has its quantities; its event is stored."""

    __slots__ = ("measured", "recorded")

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.measured: asyncio.Future[None] = loop.create_future()
        self.recorded: asyncio.Future[None] = loop.create_future()

    def end(self, *steps: asyncio.Future[None]) -> None:
        """Keep nobody waiting for these steps, or for any."""
        for step in steps or (self.measured, self.recorded):
            if not step.done():  # by whoever waits no longer
                step.set_result(None)


class Recorder:
    """Publishes each call's event once; ``await close()`` when done, which waits for the rest.

    An event that the stream does not confirm is counted in PostgreSQL at once. If the stream stored
    it after all, its identity keeps it from counting twice.
    """

    def __init__(
        self,
        database: Database,
        stream: UsageStream,
        holds: Holds,
        measures: Measures,
        log: RequestLog,
    ) -> None:
        self._database = database
        self._stream = stream
        self._publisher = Publisher(stream)
        self._holds = holds
        self._measures = measures
        self._log = log
        self._tasks: set[asyncio.Task[None]] = set()
        self._stranded = 0
        self.closing = asyncio.Event()
        """Set when this process ends: what is read to its end only for the bill is to end too."""

    def require_room(self) -> None:
        """Raise ``Unavailable`` while the usage of one more call could not be recorded."""
        if self._stranded >= _MOST_STRANDED:
            raise RecordingUnavailable("Usage can't be recorded at present.", retry_after_seconds=5)

    async def record(
        self,
        call: Call,
        status: Status,
        *,
        meanwhile: Callable[[Call], Awaitable[Said]] | None = None,
    ) -> Said | None:
        """Record a call and return when that is done, after ten seconds at the latest.

        Return what ``meanwhile`` says, which is asked once the call has its quantities, while its
        event is on its way; None if that takes too long or fails, which is logged. Recording
        continues if this is canceled, or if both engines are away; the caller gets its answer all
        the same.
        """
        steps = _Steps()
        self.spawn(self._record(call, status, steps))
        answer = None
        with suppress(TimeoutError):
            async with asyncio.timeout(_ANSWER_WAITS_SECONDS):
                await steps.measured
                answer = None if meanwhile is None else await self._answer_to(call, meanwhile)
                await steps.recorded
        return answer

    async def _answer_to(
        self, call: Call, meanwhile: Callable[[Call], Awaitable[Said]]
    ) -> Said | None:
        try:
            return await meanwhile(call)
        except Exception:  # noqa: BLE001 - the answer is good, and must be recorded, without it
            _log.exception("gateway.meanwhile_failed", call=call.event_id)
            return None

    def record_later(self, call: Call, status: Status) -> asyncio.Task[None]:
        """Record a call in a task of its own."""
        return self.spawn(self._record(call, status, _Steps()))

    def _note(self, call: Call, status: Status) -> None:
        """Log the call, and count it; not for its model what its caller broke off or spoiled."""
        self._log.note_call(call, status)
        self._measures.note_call(call, status)
        if status == "aborted" or call.refused:
            return
        self._measures.note(
            call.admitted.model.id,
            "answered" if status == "completed" else "failed",
            seconds=call.seconds,
            first_token_seconds=call.first_token_seconds if call.asked.stream else None,
        )

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run ``work`` in a task that ``close`` waits for."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    async def close(self) -> None:
        """Wait for what is under way; what can't be recorded even then is logged in full."""
        self.closing.set()
        loop = asyncio.get_running_loop()
        last = loop.time() + _CLOSE_SECONDS
        while self._tasks and loop.time() < last:  # some record others when they end
            await asyncio.wait(set(self._tasks), timeout=last - loop.time())
        late = set(self._tasks)
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            _log.error("gateway.accounting_failed", exc_info=error)

    async def _record(self, call: Call, status: Status, steps: _Steps) -> None:
        """Record a call, and then settle what it holds."""
        with self._holds.settling(call):
            try:
                event = await self._event(call, status)
                steps.end(steps.measured)
                # Once the event is on its way, which takes the stream a while
                asyncio.get_running_loop().call_soon(self._note, call, status)
                await self._store(event)
            finally:
                steps.end()
            await self._settle(call, event)

    async def _event(self, call: Call, status: Status) -> AcceptedEvent:
        try:
            return await call.event(status)
        except BaseException:
            # Nothing is billed, and what it holds lapses; but nobody is to believe it never was
            _log.exception("gateway.call_not_measured", call=call.event_id, status=status)
            self._note(call, status)
            raise

    async def _store(self, event: AcceptedEvent) -> None:
        self._stranded += 1
        try:
            for pause in pauses(_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS):
                if await self._published(event) or await self._counted(event):
                    break
                await asyncio.sleep(pause)
        except BaseException:
            # The last resort: `farebox events import` can import it from the log.
            _log.error("gateway.usage_not_recorded", usage=encode([event]).decode())
            raise
        finally:
            self._stranded -= 1

    async def _settle(self, call: Call, event: AcceptedEvent) -> None:
        for pause in pauses(_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS):
            try:
                await self._holds.settle(call, event)
            except OUTAGES as error:
                _log.warning("gateway.not_settled", call=call.event_id, error=repr(error))
            else:
                return
            await asyncio.sleep(pause)

    async def _published(self, event: AcceptedEvent) -> bool:
        client = self._stream.client
        if client is not None and not client.is_connected:
            return False  # the stream is away: do not wait for a confirmation
        try:
            await self._publisher.publish(event)
        except FareboxError as error:  # it is away, or full
            _log.warning("gateway.stream_away", detail=error.detail)
            return False
        except Exception:  # noqa: BLE001 - what nobody foresaw must not lose what PostgreSQL takes
            _log.exception("gateway.stream_failed")
            return False
        return True

    async def _counted(self, event: AcceptedEvent) -> bool:
        try:
            async with self._database.raw() as connection:
                await count_events(connection, [event])
        except OUTAGES as error:
            _log.warning("gateway.database_away", error=repr(error))
            return False
        return True
