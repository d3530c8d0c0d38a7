"""Records every call's usage: by the stream, or in the database if the stream is away."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any

import asyncpg
import structlog
from sqlalchemy.exc import SQLAlchemyError

from backend.errors import FareboxError
from backend.gateway.call import Call, Status
from backend.gateway.errors import RecordingUnavailable
from backend.gateway.holds import Holds
from backend.gateway.measures import Measures
from backend.gateway.publishing import Publisher
from backend.gateway.request_log.log import RequestLog
from backend.kit.backoff import pauses
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

    async def record(self, call: Call, status: Status) -> None:
        """Record a call and return when that is done, after ten seconds at the latest.

        Recording continues if this is canceled, or if both engines are away; the caller gets its
        answer all the same.
        """
        self._measure(call, status)
        recorded = asyncio.get_running_loop().create_future()
        self.spawn(self._record(call, status, recorded))
        with suppress(TimeoutError):
            async with asyncio.timeout(_ANSWER_WAITS_SECONDS):
                await recorded

    def record_later(self, call: Call, status: Status) -> asyncio.Task[None]:
        """Record a call in a task of its own."""
        self._measure(call, status)
        return self.spawn(self._record(call, status, asyncio.get_running_loop().create_future()))

    def _measure(self, call: Call, status: Status) -> None:
        """Count how the call went; not for its model what its caller broke off or spoiled."""
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

    async def _record(self, call: Call, status: Status, recorded: asyncio.Future[None]) -> None:
        """Record a call, and then settle what it holds; ``recorded`` is done in between."""
        with self._holds.settling(call):
            event = await call.event(status)
            self._log.note_call(call, status)
            await self._store(event, recorded)
            await self._settle(call, event)

    async def _store(self, event: AcceptedEvent, recorded: asyncio.Future[None]) -> None:
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
            if not recorded.done():
                recorded.set_result(None)

    async def _settle(self, call: Call, event: AcceptedEvent) -> None:
        for pause in pauses(_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS):
            try:
                await self._holds.settle(call, event)
            except (OSError, TimeoutError, SQLAlchemyError) as error:
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
        return True

    async def _counted(self, event: AcceptedEvent) -> bool:
        try:
            async with self._database.raw() as connection:
                await count_events(connection, [event])
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            _log.warning("gateway.database_away", error=repr(error))
            return False
        return True
