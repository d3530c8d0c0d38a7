"""A cache for some seconds, in which one look-up serves many callers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")

_PATIENCE_SECONDS: Final = 0.5
"""How long to wait for a look-up when there is an older answer to use instead."""


@dataclass(frozen=True, slots=True)
class _LookUp(Generic[Value]):
    task: asyncio.Task[Value]
    began: float
    """When it began, which its age is counted from."""
    answered: float
    """When its answer was looked up: earlier, if the answer is kept through an outage."""
    before: _LookUp[Value] | None = None
    """The last answer, in case this look-up fails by an outage."""


@dataclass(frozen=True, slots=True)
class Outages:
    """How long an answer is kept during an outage of its source."""

    seconds: float
    is_outage: Callable[[BaseException], bool]


class Remembered(Generic[Key, Value]):
    """What was looked up in the last ``seconds``, for at most ``most`` keys.

    Callers that ask while a key is being looked up wait for the same answer. Age counts from the
    beginning of the look-up, so that no answer is older than ``seconds``. A failure is raised to
    all who wait, and is not cached; but with ``outages`` an older answer is used while a look-up
    fails by an outage, or takes long. The oldest answer makes room.
    """

    def __init__(
        self,
        *,
        seconds: float,
        most: int,
        outages: Outages | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._seconds = seconds
        self._most = most
        self._outages = outages
        self._clock = clock
        self._look_ups: dict[Key, _LookUp[Value]] = {}  # the oldest first

    async def get(
        self,
        key: Key,
        look_up: Callable[[], Awaitable[Value]],
        *,
        seconds: float | None = None,
    ) -> Value:
        """Return the cached answer, or else what ``look_up`` returns or raises.

        ``seconds`` is the greatest age this time, if it is less than usual. A look-up continues for
        the others when one that waits for it is cancelled.
        """
        now = self._clock()
        oldest = now - (self._seconds if seconds is None else seconds)
        latest = self._look_ups.get(key)
        if latest is None or latest.began < oldest:
            latest = self._begin(key, look_up, now, latest)
        if latest.task.done():
            return latest.task.result()
        if latest.before is None or self._outages is None:
            return await asyncio.shield(latest.task)
        try:
            return await asyncio.wait_for(asyncio.shield(latest.task), _PATIENCE_SECONDS)
        except Exception as error:
            if isinstance(error, TimeoutError) or self._outages.is_outage(error):
                return latest.before.task.result()
            raise

    def forget(self, key: Key) -> None:
        """Drop a key's answer, and that of a look-up under way."""
        self._look_ups.pop(key, None)

    def __len__(self) -> int:
        """Return how many answers are kept, look-ups under way included."""
        return len(self._look_ups)

    def _begin(
        self,
        key: Key,
        look_up: Callable[[], Awaitable[Value]],
        now: float,
        latest: _LookUp[Value] | None,
    ) -> _LookUp[Value]:
        self._look_ups.pop(key, None)
        while len(self._look_ups) >= self._most:
            del self._look_ups[next(iter(self._look_ups))]

        async def answer() -> Value:
            return await look_up()

        begun = _LookUp(asyncio.create_task(answer()), now, now, self._holding_on(latest, now))
        self._look_ups[key] = begun

        def settle(task: asyncio.Task[Value]) -> None:
            """Drop a failure; after an outage, use the answer before it for a while."""
            if self._look_ups.get(key) is not begun:
                return
            failure = None if task.cancelled() else task.exception()
            if not task.cancelled() and failure is None:
                self._look_ups[key] = _LookUp(task, begun.began, begun.answered)
                return
            del self._look_ups[key]
            before, outages = begun.before, self._outages
            if before and outages and failure is not None and outages.is_outage(failure):
                self._look_ups[key] = _LookUp(before.task, self._clock(), before.answered)

        begun.task.add_done_callback(settle)
        return begun

    def _holding_on(self, latest: _LookUp[Value] | None, now: float) -> _LookUp[Value] | None:
        """Return the answer to use during an outage, if there is one."""
        if self._outages is None or latest is None:
            return None
        answer = latest if latest.task.done() else latest.before
        if answer is None or answer.task.cancelled() or answer.task.exception() is not None:
            return None
        return answer if now - answer.answered <= self._outages.seconds else None
