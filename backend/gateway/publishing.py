"""Events of calls that end at about the same time, published as one message.

While messages are on their way, what comes meanwhile waits for the next: so a single call is
published at once, and of many calls a message has several.
"""

from __future__ import annotations

import asyncio
from typing import Final

from backend.errors import FareboxError
from backend.metering.events import AcceptedEvent
from backend.metering.ingest.stream import UsageStream

_MOST_EVENTS: Final = 256
"""In one message."""
_MOST_UNDER_WAY: Final = 2
"""Messages whose acknowledgement is waited for."""

_Waiting = tuple[AcceptedEvent, asyncio.Future[None]]


class Publisher:
    """Publishes single events in groups; one a process."""

    def __init__(self, stream: UsageStream) -> None:
        self._stream = stream
        self._waiting: list[_Waiting] = []
        self._under_way = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def publish(self, event: AcceptedEvent) -> None:
        """Return once JetStream has stored the event; raises as ``UsageStream.publish`` does."""
        if self._under_way < _MOST_UNDER_WAY:
            # By its own caller: a task that only passes it on would cost as much as the message
            self._under_way += 1
            try:
                await self._stream.publish([event])
            except FareboxError as error:
                # What came meanwhile would take as long to fail
                self._tell_waiting(error)
                raise
            finally:
                self._go_on()
            return
        stored = asyncio.get_running_loop().create_future()
        self._waiting.append((event, stored))
        await stored

    def _go_on(self) -> None:
        """Publish what came meanwhile in the place that is free now, in a task of its own."""
        if not self._waiting:
            self._under_way -= 1
            return
        task = asyncio.create_task(self._publish_waiting())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _publish_waiting(self) -> None:
        # The place is free at once after the last look at what waits: a task that has ended is done
        # a moment later, and an event that comes in between would wait for nobody
        try:
            while self._waiting:
                await self._publish_group()
        finally:
            self._under_way -= 1

    async def _publish_group(self) -> None:
        group, self._waiting = self._waiting[:_MOST_EVENTS], self._waiting[_MOST_EVENTS:]
        try:
            await self._stream.publish([event for event, _ in group])
        except FareboxError as error:
            _tell(group, error)
            self._tell_waiting(error)
        except Exception as error:  # noqa: BLE001  # whoever waits gets it; the next go on
            _tell(group, error)
        except BaseException as error:
            _tell(group, error)
            raise
        else:
            _tell(group, None)

    def _tell_waiting(self, error: FareboxError) -> None:
        waiting, self._waiting = self._waiting, []
        _tell(waiting, error)


def _tell(group: list[_Waiting], error: BaseException | None) -> None:
    for _, stored in group:
        if stored.done():  # by being canceled
            continue
        if error is None:
            stored.set_result(None)
        else:
            stored.set_exception(error)
