"""A second process, for computations that would block the event loop."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

import structlog

Argument = TypeVar("Argument")
Result = TypeVar("Result")

_log = structlog.get_logger(__name__)


class SideProcess:
    """Computes one thing at a time. The process starts with the first, and stays."""

    def __init__(self) -> None:
        self._pool: ProcessPoolExecutor | None = None

    async def compute(self, function: Callable[[Argument], Result], argument: Argument) -> Result:
        """Return ``function(argument)``, computed there; tried once more if the process was killed.

        The function must be defined at the top of a module, and both argument and result must
        pickle.
        """
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._running(), function, argument)
        except BrokenProcessPool:
            _log.warning("side_process.lost")
            self._pool = None
            return await loop.run_in_executor(self._running(), function, argument)

    def close(self) -> None:
        """Finish what is under way and end the process."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def _running(self) -> ProcessPoolExecutor:
        if self._pool is None:
            self._pool = ProcessPoolExecutor(
                1, mp_context=multiprocessing.get_context("spawn"), initializer=follow_parent
            )
        return self._pool


def follow_parent() -> None:
    """Leave Ctrl-C to the parent, which stops this process; but end when the parent ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:

        def follow() -> None:
            parent.join()
            os._exit(1)

        threading.Thread(target=follow, daemon=True).start()
