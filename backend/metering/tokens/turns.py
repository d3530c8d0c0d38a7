"""Turns at the processor for threads that count: first come, first served, piece by piece."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final


class _Holder(threading.local):
    turns: Turns | None = None


_holder: Final = _Holder()


class Turns:
    """Lets ``at_once`` threads work; whoever gives way goes to the end of the queue."""

    def __init__(self, at_once: int) -> None:
        self._lock = threading.Lock()
        self._free = at_once
        self._queue: deque[threading.Event] = deque()

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait for a turn, and have it until the end of the block."""
        self._wait()
        _holder.turns = self
        try:
            yield
        finally:
            _holder.turns = None
            self._pass_on()

    @property
    def wanted(self) -> bool:
        """Whether a thread waits for a turn."""
        return bool(self._queue)

    def _wait(self) -> None:
        with self._lock:
            if self._free:
                self._free -= 1
                return
            own = threading.Event()
            self._queue.append(own)
        own.wait()

    def _pass_on(self) -> None:
        with self._lock:
            if self._queue:
                self._queue.popleft().set()
            else:
                self._free += 1

    def give_way(self) -> None:
        """Let whoever waits go first, if anybody does."""
        with self._lock:
            if not self._queue:
                return
            own = threading.Event()
            self._queue.append(own)
            self._queue.popleft().set()
        own.wait()


def give_way() -> None:
    """Let other threads that wait for a turn go first; nothing happens in one that has none."""
    if _holder.turns is not None:
        _holder.turns.give_way()
