"""Work whose caller leaves before the answer begins: stopped where that is allowed, once."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest
from starlette.types import Message, Receive

from backend.api.errors import CallerLeft
from backend.api.leaving import Watch, unless_left

pytestmark = pytest.mark.fast


def leaves_at(left: asyncio.Event) -> Receive:
    async def receive() -> Message:
        await left.wait()
        return {"type": "http.disconnect"}

    return receive


async def test_it_returns_what_the_work_does_and_looks_no_longer() -> None:
    async def work() -> str:
        await asyncio.sleep(0)
        return "done"

    before = asyncio.all_tasks()
    assert await unless_left(leaves_at(asyncio.Event()), work(), may_stop=lambda: True) == "done"
    await asyncio.sleep(0)
    assert asyncio.all_tasks() <= before  # of those, others may have ended


async def test_it_raises_what_the_work_raises() -> None:
    async def work() -> None:
        raise LookupError("none")

    with pytest.raises(LookupError, match="none"):
        await unless_left(leaves_at(asyncio.Event()), work(), may_stop=lambda: True)


async def test_work_whose_caller_leaves_is_stopped_and_its_task_goes_on() -> None:
    left, ended = asyncio.Event(), []

    async def work() -> None:
        left.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("stopped")

    with pytest.raises(CallerLeft):
        await unless_left(leaves_at(left), work(), may_stop=lambda: True)
    assert ended == ["stopped"]
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0
    await asyncio.sleep(0)


async def test_work_that_may_not_be_stopped_is_finished() -> None:
    left = asyncio.Event()

    async def work() -> str:
        left.set()
        for _ in range(5):
            await asyncio.sleep(0)
        return "done"

    assert await unless_left(leaves_at(left), work(), may_stop=lambda: False) == "done"


async def test_work_that_ends_in_spite_of_being_stopped_is_returned() -> None:
    left = asyncio.Event()

    async def work() -> str:
        left.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return "done"
        return "never"

    assert await unless_left(leaves_at(left), work(), may_stop=lambda: True) == "done"
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0
    await asyncio.sleep(0)


async def test_one_that_is_canceled_itself_is_canceled() -> None:
    begun = asyncio.Event()

    async def work() -> None:
        begun.set()
        await asyncio.Event().wait()

    waiting = asyncio.create_task(
        unless_left(leaves_at(asyncio.Event()), work(), may_stop=lambda: True)
    )
    await begun.wait()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_one_that_is_canceled_as_its_caller_leaves_is_canceled() -> None:
    begun, left = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        begun.set()
        await asyncio.Event().wait()

    waiting = asyncio.create_task(unless_left(leaves_at(left), work(), may_stop=lambda: True))
    await begun.wait()
    left.set()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_one_that_is_canceled_after_its_caller_left_knows_of_the_other() -> None:
    begun, left, stopped, may_end = (asyncio.Event() for _ in range(4))
    asked_to_stop: list[int] = []

    async def work() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()
            with suppress(asyncio.CancelledError):
                await may_end.wait()

    async def run() -> None:
        try:
            await unless_left(leaves_at(left), work(), may_stop=lambda: True)
        finally:
            task = asyncio.current_task()
            asked_to_stop.append(0 if task is None else task.cancelling())

    waiting = asyncio.create_task(run())
    await begun.wait()
    left.set()
    await stopped.wait()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert asked_to_stop == [1]  # by whoever canceled it: a group of tasks counts on it


async def test_one_watch_sees_to_one_piece_of_work_after_the_other() -> None:
    left = asyncio.Event()

    async def first() -> str:
        await asyncio.sleep(0)
        return "begun"

    async def second() -> None:
        left.set()
        await asyncio.Event().wait()

    before = asyncio.all_tasks()
    watch = Watch(leaves_at(left))
    assert await watch.unless_left(first(), may_stop=lambda: True) == "begun"
    with pytest.raises(CallerLeft):
        await watch.unless_left(second(), may_stop=lambda: True)
    # And what begins only after the caller has left
    with pytest.raises(CallerLeft):
        await watch.unless_left(second(), may_stop=lambda: True)
    watch.end()
    await asyncio.sleep(0)
    assert asyncio.all_tasks() <= before  # of those, others may have ended
