"""Passes every so often, and tasks that outlive their own faults."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import asyncpg
import pytest
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from backend.kit.periodic import Run, every, keep_running, wait

pytestmark = pytest.mark.fast


Act = Callable[[], Awaitable[bool | None]]


def passes(stop: asyncio.Event, *results: bool | Exception | None) -> Act:
    """An act that returns or raises these one after another, and then has the loop stop."""
    left = list(results)

    async def act() -> bool | None:
        result = left.pop(0)
        if not left:
            stop.set()
        if isinstance(result, Exception):
            raise result
        return result

    return act


async def test_a_pass_follows_another_until_it_is_told_to_stop() -> None:
    stop = asyncio.Event()
    async with asyncio.timeout(60):
        await every(0.001, passes(stop, None, None, None), stop, name="test")
    await every(0.001, passes(stop), stop, name="test")  # not one more


async def test_each_outcome_is_reported_to_who_keeps_the_task_running() -> None:
    stop, outage = asyncio.Event(), OSError("away")
    act = passes(stop, None, outage, None)
    reported: list[Exception | None] = []

    async def report(error: Exception | None) -> None:
        reported.append(error)

    async def run(stop: asyncio.Event) -> None:
        await every(0.001, act, stop, name="test")

    async def failed(error: Exception) -> None:
        raise AssertionError from error

    async with asyncio.timeout(60):
        await asyncio.create_task(
            keep_running(lambda: run, stop, name="test", failed=failed, report=report)
        )
    assert reported == [None, outage, None]


async def test_while_there_is_more_it_does_not_wait() -> None:
    stop = asyncio.Event()
    async with asyncio.timeout(60):
        await every(3600, passes(stop, True, True, True), stop, name="test")


@pytest.mark.parametrize(
    "outage",
    [
        OperationalError("SELECT 1", {}, ConnectionResetError("lost")),
        PoolTimeout("no connection"),
        asyncpg.ConnectionDoesNotExistError("lost"),
        asyncpg.InterfaceError("closed"),
        ConnectionRefusedError("away"),
        TimeoutError(),
    ],
    ids=lambda outage: type(outage).__name__,
)
async def test_an_outage_is_waited_out(outage: Exception) -> None:
    stop = asyncio.Event()
    async with asyncio.timeout(60):
        await every(0.001, passes(stop, outage, None), stop, name="test")


async def test_a_fault_is_raised() -> None:
    stop = asyncio.Event()
    with pytest.raises(KeyError):
        await every(0.001, passes(stop, KeyError("x"), None), stop, name="test")


async def test_waiting_ends_when_it_is_told_to_stop() -> None:
    stop = asyncio.Event()
    stop.set()
    async with asyncio.timeout(60):
        await wait(3600, stop)


class Task:
    """Fails as often as it is told to, then works until it is told to stop."""

    def __init__(self, *failures: Exception) -> None:
        self._left = list(failures)
        self.starts = 0
        self.works = asyncio.Event()
        self.has_failed = asyncio.Event()
        self.noted: list[Exception] = []

    def start(self) -> Run:
        self.starts += 1
        return self._run

    async def failed(self, error: Exception) -> None:
        self.noted.append(error)
        self.has_failed.set()

    async def _run(self, stop: asyncio.Event) -> None:
        if self._left:
            raise self._left.pop(0)
        self.works.set()
        await stop.wait()


async def keep(task: Task, stop: asyncio.Event, *, pause: float = 0.001) -> None:
    await keep_running(task.start, stop, name="test", failed=task.failed, first_pause_seconds=pause)


async def test_a_task_that_fails_is_made_anew_while_others_go_on() -> None:
    stop = asyncio.Event()
    faults = [KeyError("x"), ExceptionGroup("several", [ValueError("y")])]
    faulty, sound = Task(*faults), Task()
    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        group.create_task(keep(faulty, stop))
        group.create_task(keep(sound, stop))
        await faulty.works.wait()
        stop.set()
    assert (faulty.starts, faulty.noted) == (3, faults)
    assert (sound.starts, sound.noted) == (1, [])


async def test_a_task_that_can_not_be_made_counts_as_failed() -> None:
    stop = asyncio.Event()
    task = Task()

    def start() -> Run:
        if task.noted:
            return task.start()
        raise OSError("no such directory")

    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        group.create_task(
            keep_running(start, stop, name="test", failed=task.failed, first_pause_seconds=0.001)
        )
        await task.works.wait()
        stop.set()
    assert len(task.noted) == 1


async def test_a_stop_ends_the_pause_before_a_restart() -> None:
    stop = asyncio.Event()
    task = Task(KeyError("x"))
    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        group.create_task(keep(task, stop, pause=3600))
        await task.has_failed.wait()
        stop.set()
    assert task.starts == 1
