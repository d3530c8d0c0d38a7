"""The process that computes forecasts, beside the worker's own: fitting would hold up counting."""

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

from backend.forecasting.jobs import ForecastJob

Result = TypeVar("Result")

_log = structlog.get_logger(__name__)


class ForecastProcess:
    """Computes one thing at a time. It starts with the first, and stays warm."""

    def __init__(self) -> None:
        self._pool: ProcessPoolExecutor | None = None

    async def compute(self, function: Callable[[ForecastJob], Result], job: ForecastJob) -> Result:
        """Return ``function(job)`` as computed there; begin anew once if the process was killed."""
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._running(), function, job)
        except BrokenProcessPool:
            _log.warning("forecast.process_lost")
            self._pool = None
            return await loop.run_in_executor(self._running(), function, job)

    def close(self) -> None:
        """Finish what is under way and end the process."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def _running(self) -> ProcessPoolExecutor:
        if self._pool is None:
            self._pool = ProcessPoolExecutor(
                1, mp_context=multiprocessing.get_context("spawn"), initializer=_begin
            )
        return self._pool


def _begin() -> None:
    """Leave Ctrl-C to the worker, which stops this process; but never outlive the worker."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:

        def follow() -> None:
            parent.join()
            os._exit(1)

        threading.Thread(target=follow, daemon=True).start()
