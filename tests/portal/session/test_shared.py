"""One tab asks, and all get the answer."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from backend_client.responses import record, recording
from portal.session import shared
from portal.session.shared import Answers

pytestmark = pytest.mark.fast


class Api:
    """Counts what it is asked, and answers when it is let."""

    def __init__(self) -> None:
        self.asked = 0
        self.open = asyncio.Event()
        self.open.set()
        self.failure: Exception | None = None

    async def ask(self) -> int:
        self.asked += 1
        number = self.asked
        await self.open.wait()
        if self.failure is not None:
            raise self.failure
        return number


async def test_those_who_ask_at_once_get_one_answer() -> None:
    answers, api = Answers(), Api()
    api.open.clear()
    asking = [
        asyncio.create_task(answers.get("question", api.ask, fresh_seconds=60)) for _ in range(20)
    ]
    await asyncio.sleep(0)
    # Whoever leaves takes the answer from nobody
    asking.pop().cancel()
    api.open.set()
    assert await asyncio.gather(*asking) == [1] * 19
    assert await answers.get("question", api.ask, fresh_seconds=60) == 1
    assert await answers.get("another", api.ask, fresh_seconds=60) == 2


async def test_after_an_act_it_is_asked_anew_and_for_all() -> None:
    answers, api = Answers(), Api()
    api.open.clear()
    before = asyncio.create_task(answers.get("question", api.ask, fresh_seconds=60))
    await asyncio.sleep(0)
    after = asyncio.create_task(answers.get("question", api.ask, fresh_seconds=0))
    await asyncio.sleep(0)
    api.open.set()
    assert (await before, await after) == (1, 2)
    assert await answers.get("question", api.ask, fresh_seconds=60) == 2


async def test_a_failure_is_everybodys_and_not_kept() -> None:
    answers, api = Answers(), Api()
    api.failure = RuntimeError("away")
    asking = [answers.get("question", api.ask, fresh_seconds=60) for _ in range(3)]
    failures = await asyncio.gather(*asking, return_exceptions=True)
    assert [str(failure) for failure in failures] == ["away"] * 3
    assert api.asked == 1
    api.failure = None
    assert await answers.get("question", api.ask, fresh_seconds=60) == 2


async def test_the_longest_unused_answer_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared, "MOST_ANSWERS", 2)
    answers, api = Answers(), Api()
    for question in ("a", "b", "a", "c"):
        await answers.get(question, api.ask, fresh_seconds=60)
    assert await answers.get("a", api.ask, fresh_seconds=60) == 1
    assert await answers.get("b", api.ask, fresh_seconds=60) == 4


async def test_what_an_answer_cost_is_noted_where_it_was_asked_for() -> None:
    """So that an idle tab rests for as long as its requests are worth."""
    answers = Answers()

    async def ask() -> int:
        await asyncio.gather(*(asyncio.to_thread(record, httpx.Response(200)) for _ in range(2)))
        return 1

    with recording() as first:
        await answers.get("question", ask, fresh_seconds=60)
    with recording() as second:
        await answers.get("question", ask, fresh_seconds=60)
    assert (len(first), len(second)) == (2, 0)
