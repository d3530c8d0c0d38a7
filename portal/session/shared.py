"""Answers of the API that several tabs want at once: one of them asks, and all get the answer."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from typing import Any, Final, TypeVar

T = TypeVar("T")

MOST_ANSWERS: Final = 500


class Answers:
    """The last answer to each question, and those that are under way.

    A question's key says whose answer it is: that of another tenant or role is another's. Bounded:
    the longest unused goes first. Failures are not kept.
    """

    def __init__(self) -> None:
        self._entries: OrderedDict[Hashable, tuple[asyncio.Task[Any], float]] = OrderedDict()

    async def get(
        self, key: Hashable, ask: Callable[[], Awaitable[T]], *, fresh_seconds: float
    ) -> T:
        """The answer that was asked for ``fresh_seconds`` ago at most, else a new one.

        With 0 it is asked for now, and others get this one from then on: after an act, which an
        answer from before it doesn't know of.
        """
        entry = self._entries.get(key)
        if entry is None or time.monotonic() - entry[1] >= fresh_seconds or _failed(entry[0]):
            entry = (asyncio.create_task(_awaited(ask)), time.monotonic())
            self._entries[key] = entry
            if len(self._entries) > MOST_ANSWERS:
                self._entries.popitem(last=False)
        self._entries.move_to_end(key)
        # Whoever stops waiting leaves the others their answer
        answer: T = await asyncio.shield(entry[0])
        return answer


async def _awaited(ask: Callable[[], Awaitable[T]]) -> T:
    return await ask()


def _failed(task: asyncio.Task[Any]) -> bool:
    return task.done() and (task.cancelled() or task.exception() is not None)


answers = Answers()
