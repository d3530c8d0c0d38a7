"""Answers that are kept: looked up once, for a while, at most so many."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest

from backend.kit.remembered import Outages, Remembered

pytestmark = pytest.mark.fast


class Source:
    """What is looked up: it counts, waits while it is held up, and fails when told to."""

    def __init__(self) -> None:
        self.look_ups: list[str] = []
        self.free = asyncio.Event()
        self.free.set()
        self.broken = False

    async def look_up(self, key: str) -> str:
        self.look_ups.append(key)
        number = len(self.look_ups)
        await self.free.wait()
        if self.broken:
            raise ConnectionError("away")
        return f"{key} {number}"


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def source() -> Source:
    return Source()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def remembered(clock: Clock) -> Remembered[str, str]:
    return Remembered(seconds=10, most=3, clock=clock)


async def ask(remembered: Remembered[str, str], source: Source, key: str = "a") -> str:
    return await remembered.get(key, lambda: source.look_up(key))


async def settled() -> None:
    """Let every task go on as far as it can."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_an_answer_is_looked_up_once_and_again_when_it_is_old(
    remembered: Remembered[str, str], source: Source, clock: Clock
) -> None:
    assert [await ask(remembered, source) for _ in range(3)] == ["a 1"] * 3
    clock.now += 10
    assert await ask(remembered, source) == "a 1"
    clock.now += 0.01
    assert await ask(remembered, source) == "a 2"
    assert await ask(remembered, source, "b") == "b 3"


async def test_who_wants_it_fresher_has_it_looked_up_for_all(
    remembered: Remembered[str, str], source: Source, clock: Clock
) -> None:
    await ask(remembered, source)
    clock.now += 5
    assert await remembered.get("a", lambda: source.look_up("a"), seconds=6) == "a 1"
    assert await remembered.get("a", lambda: source.look_up("a"), seconds=4) == "a 2"
    assert await ask(remembered, source) == "a 2"


async def test_those_who_ask_at_once_share_one_look_up(
    remembered: Remembered[str, str], source: Source
) -> None:
    source.free.clear()
    asking = [asyncio.create_task(ask(remembered, source)) for _ in range(20)]
    await settled()
    source.free.set()
    assert await asyncio.gather(*asking) == ["a 1"] * 20
    assert source.look_ups == ["a"]


async def test_a_failure_is_raised_to_all_who_wait_and_not_remembered(
    remembered: Remembered[str, str], source: Source
) -> None:
    source.broken = True
    source.free.clear()
    asking = [asyncio.create_task(ask(remembered, source)) for _ in range(3)]
    await settled()
    source.free.set()
    answers = await asyncio.gather(*asking, return_exceptions=True)
    assert [type(answer) for answer in answers] == [ConnectionError] * 3
    assert len(remembered) == 0
    source.broken = False
    assert await ask(remembered, source) == "a 2"


async def test_one_who_leaves_takes_the_answer_from_nobody(
    remembered: Remembered[str, str], source: Source
) -> None:
    source.free.clear()
    first, second = (asyncio.create_task(ask(remembered, source)) for _ in range(2))
    await settled()
    first.cancel()
    await settled()
    source.free.set()
    assert await second == "a 1"
    assert first.cancelled()
    assert source.look_ups == ["a"]


async def test_what_is_forgotten_is_looked_up_though_it_be_on_its_way(
    remembered: Remembered[str, str], source: Source
) -> None:
    source.free.clear()
    before = asyncio.create_task(ask(remembered, source))
    await settled()
    remembered.forget("a")
    after = asyncio.create_task(ask(remembered, source))
    await settled()
    source.free.set()
    assert (await before, await after) == ("a 1", "a 2")
    assert await ask(remembered, source) == "a 2"  # the older look-up is not what is kept


async def test_a_look_up_that_takes_too_long_is_joined_no_more(
    remembered: Remembered[str, str], source: Source, clock: Clock
) -> None:
    source.free.clear()
    early = asyncio.create_task(ask(remembered, source))
    await settled()
    clock.now += 11  # its answer may be of a time that is over
    late = asyncio.create_task(ask(remembered, source))
    await settled()
    source.free.set()
    assert (await early, await late) == ("a 1", "a 2")


async def test_the_oldest_makes_room(
    remembered: Remembered[str, str], source: Source, clock: Clock
) -> None:
    for key in "abc":
        await ask(remembered, source, key)
    clock.now += 11
    await ask(remembered, source, "a")  # now the newest
    await ask(remembered, source, "d")
    assert len(remembered) == 3
    assert await ask(remembered, source, "a") == "a 4"
    for key in (str(number) for number in range(100)):
        await ask(remembered, source, key)
    assert len(remembered) == 3


def held_on(clock: Clock, seconds: float = 60.0) -> Remembered[str, str]:
    """Answers that are new for 10 s, and hold on for ``seconds`` through an outage."""
    outages = Outages(seconds, lambda error: isinstance(error, ConnectionError))
    return Remembered(seconds=10.0, most=10, outages=outages, clock=clock)


async def test_an_answer_holds_on_through_an_outage_and_for_no_longer() -> None:
    source, clock = Source(), Clock()
    remembered = held_on(clock)

    async def ask() -> str:
        return await remembered.get("a", partial(source.look_up, "a"))

    assert await ask() == "a 1"
    source.broken = True
    clock.now += 11
    assert await ask() == "a 1"
    assert await ask() == "a 1"
    assert len(source.look_ups) == 2  # asked once, and then not until it is time again
    clock.now += 11
    assert await ask() == "a 1"
    assert len(source.look_ups) == 3
    clock.now += 60
    with pytest.raises(ConnectionError):
        await ask()
    source.broken = False
    assert await ask() == "a 5"


async def test_what_was_never_looked_up_meets_the_outage() -> None:
    source, clock = Source(), Clock()
    source.broken = True
    with pytest.raises(ConnectionError):
        await held_on(clock).get("a", partial(source.look_up, "a"))


async def test_a_look_up_that_hangs_is_not_waited_for_where_an_older_answer_does() -> None:
    source, clock = Source(), Clock()
    remembered = held_on(clock)
    look_up = partial(source.look_up, "a")
    assert await remembered.get("a", look_up) == "a 1"
    clock.now += 11
    source.free.clear()
    assert await remembered.get("a", look_up) == "a 1"
    source.free.set()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert await remembered.get("a", look_up) == "a 2"


async def test_another_failure_than_an_outage_is_raised_though_there_was_an_answer() -> None:
    clock = Clock()
    remembered = held_on(clock)

    async def refused() -> str:
        raise PermissionError("revoked")

    async def good() -> str:
        return "good"

    assert await remembered.get("a", good) == "good"
    clock.now += 11
    with pytest.raises(PermissionError):
        await remembered.get("a", refused)
    assert len(remembered) == 0
