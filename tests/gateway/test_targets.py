"""The order in which a call's targets are tried, and which of an upstream's keys is used."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import pytest

from backend.gateway.upstreams.provider import Provider
from backend.gateway.upstreams.targets import RETIRED_SECONDS, Target, Targets, in_order
from backend.settings import Upstream

pytestmark = pytest.mark.fast


def target(name: str, **terms: Any) -> Target:
    upstream = Upstream(name=name, base_url="http://127.0.0.1:9", models=["m"], **terms)
    return Target(Provider(upstream), "m")


def test_upstreams_of_a_lower_number_come_first() -> None:
    targets = [target("last", priority=2), target("first"), target("second", priority=1)]
    for seed in range(20):
        order = in_order(targets, random.Random(seed).random)
        assert [each.upstream.name for each in order] == ["first", "second", "last"]


def test_among_equals_each_comes_first_as_often_as_its_weight_says() -> None:
    targets = [target("heavy", weight=3), target("light")]
    draw = random.Random(7).random
    first = Counter(in_order(targets, draw)[0].upstream.name for _ in range(4000))
    assert 2850 < first["heavy"] < 3150


def test_keys_are_used_in_turn_but_for_those_that_rest() -> None:
    several = target("u", api_keys=["a", "b", "c"])
    assert [key.secret for _ in range(4) if (key := several.key(0))] == ["a", "b", "c", "a"]
    several.keys[1].circuit.fail(0, retry_after=10)
    assert [key.secret for _ in range(3) if (key := several.key(0))] == ["c", "a", "c"]
    assert several.wait_seconds(0) == 0
    for key in several.keys:
        key.circuit.fail(0, retry_after=10)
    assert several.key(0) is None
    assert several.wait_seconds(4) == 6
    assert several.asked_to_wait


def test_without_a_key_there_is_nothing_to_rest() -> None:
    (key,) = target("u").keys
    assert key.secret is None


def test_an_upstream_is_full_at_its_concurrency() -> None:
    bounded = target("u", max_concurrency=2)
    bounded.provider.under_way = 1
    assert not bounded.is_full
    bounded.provider.under_way = 2
    assert bounded.is_full


async def test_a_retired_upstream_serves_the_calls_that_had_chosen_it() -> None:
    now = 0.0
    targets = Targets(clock=lambda: now)
    old = Upstream(name="u", base_url="http://127.0.0.1:9", models=["m"])
    await targets.use([old])
    (chosen,) = targets.serving("m")
    closed: list[float] = []
    close = chosen.provider.close

    async def closing() -> None:
        closed.append(now)
        await close()

    chosen.provider.close = closing  # type: ignore[method-assign]  # to see when it is closed

    await targets.use([])
    assert targets.serving("m") == []
    await targets.use([])
    assert not closed  # a call that waits for its holds has still to be sent
    chosen.provider.under_way = 1
    now = RETIRED_SECONDS + 1
    await targets.use([])
    assert not closed  # it is being answered
    chosen.provider.under_way = 0
    await targets.use([])
    assert closed == [now]
    await targets.close()
    assert closed == [now]
