"""Long counts take turns: no tenant's keep another's from being counted."""

from __future__ import annotations

import asyncio
import os
import threading
from collections import deque
from concurrent.futures import ThreadPoolExecutor

import pytest

from backend.metering.tokens.encodings import LONGEST_PIECE, pieces
from backend.metering.tokens.pool import count_for, in_thread
from backend.metering.tokens.turns import Turns, give_way

pytestmark = pytest.mark.fast


async def test_a_tenants_short_count_waits_for_no_other_tenants_long_ones() -> None:
    stop = threading.Event()

    def count_long() -> None:
        while not stop.wait(0.001):
            give_way()

    async def count_as(tenant_id: str, times: int) -> None:
        count_for(tenant_id)
        await asyncio.gather(*(in_thread(count_long) for _ in range(times)))

    greedy = [asyncio.create_task(count_as(f"greedy{number}", 20)) for number in range(4)]
    try:
        count_for("patient")
        assert await asyncio.wait_for(in_thread(len, "hello"), 60) == 5
        assert not any(task.done() for task in greedy)
    finally:
        stop.set()
        await asyncio.gather(*greedy)


async def test_a_tenant_counts_one_long_text_at_a_time() -> None:
    under_way, most, lock = 0, 0, threading.Lock()

    def count() -> None:
        nonlocal under_way, most
        with lock:
            under_way += 1
            most = max(most, under_way)
        give_way()
        with lock:
            under_way -= 1

    count_for("one")
    await asyncio.gather(*(in_thread(count) for _ in range(4 * (os.cpu_count() or 1))))
    assert most == 1


async def test_a_count_whose_caller_has_gone_still_has_the_tenants_place() -> None:
    stop, counting = threading.Event(), threading.Event()

    def count_long() -> None:
        counting.set()
        stop.wait(60)

    count_for("leaving")
    first = asyncio.create_task(in_thread(count_long))
    await asyncio.to_thread(counting.wait, 60)
    first.cancel()
    await asyncio.wait({first})
    second = asyncio.create_task(in_thread(len, "hello"))
    await asyncio.wait({second}, timeout=0.05)
    assert not second.done()
    stop.set()
    assert await second == 5


async def test_what_a_count_raises_is_its_callers_alone() -> None:
    count_for("failing")
    failing = asyncio.create_task(in_thread(int, "no number"))
    assert await in_thread(len, "hello") == 5
    with pytest.raises(ValueError, match="invalid literal"):
        await failing


def test_a_long_text_gives_way_between_its_pieces() -> None:
    turns, order = Turns(1), deque[str]()
    waits = threading.Event()

    def other() -> None:
        waits.set()
        with turns.turn():
            order.append("other")

    with ThreadPoolExecutor() as threads, turns.turn():
        beside = threads.submit(other)
        waits.wait(60)
        while not turns.wanted:
            pass
        for _ in pieces(" " * (3 * LONGEST_PIECE)):
            order.append("piece")
        beside.result(60)
    assert list(order) == ["piece", "other", "piece", "piece"]
