"""Answers that are kept for some seconds, so that one look-up serves many."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class _LookUp(Generic[Value]):
    task: asyncio.Task[Value]
    began: float


class Remembered(Generic[Key, Value]):
    """What was looked up in the last ``seconds``, for at most ``most`` keys.

    Whoever asks while a key is being looked up waits for the same answer. Age counts from where
    the look-up began, so that no answer is older than ``seconds`` when it is asked for. A failure
    is raised to all who wait for it, and is not remembered. The oldest answer makes room.
    """

    def __init__(
        self, *, seconds: float, most: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._seconds = seconds
        self._most = most
        self._clock = clock
        self._look_ups: dict[Key, _LookUp[Value]] = {}  # the oldest first

    async def get(
        self,
        key: Key,
        look_up: Callable[[], Awaitable[Value]],
        *,
        seconds: float | None = None,
    ) -> Value:
        """Return the answer that is remembered, or else what ``look_up`` returns or raises.

        ``seconds`` is how old the answer may be this time, if less than ever. A look-up goes on
        for those who wait with it when one of them is cancelled.
        """
        now = self._clock()
        oldest = now - (self._seconds if seconds is None else seconds)
        known = self._look_ups.get(key)
        if known is None or known.began < oldest:
            known = self._begin(key, look_up, now)
        if known.task.done():
            return known.task.result()
        return await asyncio.shield(known.task)

    def forget(self, key: Key) -> None:
        """Have a key looked up when it is asked for next, though it be looked up just now."""
        self._look_ups.pop(key, None)

    def __len__(self) -> int:
        """Return how many answers are kept, those on their way included."""
        return len(self._look_ups)

    def _begin(
        self, key: Key, look_up: Callable[[], Awaitable[Value]], now: float
    ) -> _LookUp[Value]:
        self._look_ups.pop(key, None)
        while len(self._look_ups) >= self._most:
            del self._look_ups[next(iter(self._look_ups))]

        async def answer() -> Value:
            return await look_up()

        begun = _LookUp(asyncio.create_task(answer()), now)
        self._look_ups[key] = begun

        def forget_failure(task: asyncio.Task[Value]) -> None:
            failed = task.cancelled() or task.exception() is not None
            if failed and self._look_ups.get(key) is begun:
                del self._look_ups[key]

        begun.task.add_done_callback(forget_failure)
        return begun
