"""Loops of a worker: a pass at intervals, and a task that is restarted after faults."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import Final, TypeAlias

import asyncpg
import structlog
from sqlalchemy.exc import SQLAlchemyError

from backend.kit.backoff import pauses

_log = structlog.get_logger(__name__)

OUTAGES: Final[tuple[type[Exception], ...]] = (
    SQLAlchemyError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # may be raised if a connection is lost in mid-call
    OSError,
    TimeoutError,
)
"""Errors of an outage: the next pass may succeed."""

Run: TypeAlias = Callable[[asyncio.Event], Awaitable[None]]
"""Works until the event is set, and finishes what it began."""

Report: TypeAlias = Callable[[Exception | None], Awaitable[None]]
"""Takes the outcome of a pass: the error that ended it, or None."""

_report: ContextVar[Report | None] = ContextVar("report", default=None)

_FIRST_PAUSE_SECONDS: Final = 1.0
_LONGEST_PAUSE_SECONDS: Final = 60.0
_STEADY_SECONDS: Final = 300.0
"""A task that ran this long was healthy: its next restart is as early as the first."""


async def every(
    seconds: float,
    act: Callable[[], Awaitable[bool | None]],
    stop: asyncio.Event,
    *,
    name: str,
    outages: tuple[type[Exception], ...] = OUTAGES,
) -> None:
    """Call ``act`` repeatedly until ``stop`` is set, ``seconds`` after it has returned.

    If it returns True it is called again at once. An outage is waited for, and logged as
    ``<name>.interrupted``; any other error is raised. Each outcome is reported to who keeps the
    task running.
    """
    while not stop.is_set():
        more = None
        try:
            more = await act()
        except outages as error:
            _log.warning(f"{name}.interrupted", error=str(error) or type(error).__name__)
            await passed(error)
        else:
            await passed()
        if not more:
            await wait(seconds, stop)


async def passed(error: Exception | None = None) -> None:
    """Report a pass to who keeps the task running, if anybody does.

    ``every`` does it after each; a pass that goes on for long does it by itself meanwhile.
    """
    report = _report.get()
    if report is not None:
        await report(error)


async def keep_running(
    start: Callable[[], Run],
    stop: asyncio.Event,
    *,
    name: str,
    failed: Callable[[Exception], Awaitable[None]],
    report: Report | None = None,
    first_pause_seconds: float = _FIRST_PAUSE_SECONDS,
) -> None:
    """Run what ``start`` returns until ``stop`` is set; start it again when it raises.

    Its errors are faults, so they are logged with their trace and passed to ``failed``; other tasks
    of the process continue. Each restart comes later than the one before, by a minute at most.
    ``report`` takes the outcome of each of its passes.
    """
    _report.set(report)
    waits = pauses(first_pause_seconds, _LONGEST_PAUSE_SECONDS)
    while not stop.is_set():
        began = time.monotonic()
        try:
            await start()(stop)
        except Exception as error:  # noqa: BLE001 - whatever its fault, the others go on
            _log.exception("worker.task_failed", task=name)
            await failed(error)
        else:
            return
        if time.monotonic() - began > _STEADY_SECONDS:
            waits = pauses(first_pause_seconds, _LONGEST_PAUSE_SECONDS)
        await wait(next(waits), stop)


async def wait(seconds: float, stop: asyncio.Event) -> None:
    """Return after ``seconds``, or as soon as ``stop`` is set."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)
