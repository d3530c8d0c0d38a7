"""When an open page looks again: by a clock that stands still until it is set on."""

from __future__ import annotations

import pytest

from backend_client import Unavailable
from backend_client.types.usage import UsageVersion
from portal.session import rhythm as module
from portal.session.live import Feed
from portal.session.rhythm import (
    IDLE_SECONDS,
    RETRY_SECONDS,
    UNTOLD_SECONDS,
    Presence,
    Rhythm,
)

pytestmark = pytest.mark.fast


class Clock:
    """The time, as a test sets it."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    return clock


def test_a_page_that_asks_does_so_at_its_own_pace_and_seldom_where_nobody_is(clock: Clock) -> None:
    rhythm = Rhythm(2.0, None)
    assert rhythm.is_due("seen")
    rhythm.begin()
    assert not rhythm.is_due("seen")
    clock.now += 2
    assert rhythm.is_due("seen")
    for presence in ("alone", "hidden"):
        assert not rhythm.is_due(presence)
    clock.now += IDLE_SECONDS
    for presence in ("alone", "hidden"):
        assert rhythm.is_due(presence)


def test_a_page_that_is_told_rests_until_there_is_something_new(clock: Clock) -> None:
    feed = Feed()
    rhythm = Rhythm(1.0, feed)
    assert rhythm.is_due("seen")
    rhythm.begin()
    # Until the feed knows the version, it is asked for now and then
    clock.now += UNTOLD_SECONDS
    assert rhythm.is_due("seen")
    feed.latest, feed.turn = UsageVersion(version=7, last_event_at=None), 1
    rhythm.begin()
    clock.now += IDLE_SECONDS - 1
    assert not rhythm.is_due("seen")
    feed.turn = 2
    # A screen that nobody touches goes on; a tab that nobody sees does not
    assert rhythm.is_due("alone")
    assert not rhythm.is_due("hidden")


def test_what_is_awaited_is_looked_for_less_and_less_often(clock: Clock) -> None:
    feed = Feed()
    feed.latest = UsageVersion(version=7, last_event_at=None)
    rhythm = Rhythm(2.0, feed)
    pauses = []
    for _ in range(12):
        rhythm.begin()
        rhythm.end(again=True, requests=1)
        began = clock.now
        while not rhythm.is_due("seen"):
            clock.now += 0.5
        pauses.append(clock.now - began)
    assert pauses == sorted(pauses)
    assert pauses[0] == 3.0
    assert pauses[-1] == IDLE_SECONDS
    rhythm.begin()
    rhythm.end(again=False, requests=1)
    clock.now += pauses[0]
    assert not rhythm.is_due("seen")


def test_a_look_that_failed_is_tried_again_soon_and_by_nobody_who_is_not_there(
    clock: Clock,
) -> None:
    feed = Feed()
    feed.turn, feed.problem = 3, Unavailable("The API can't be reached.")
    rhythm = Rhythm(1.0, feed)
    with pytest.raises(Unavailable):
        rhythm.begin()
    rhythm.fail()
    assert not rhythm.is_due("seen")
    clock.now += RETRY_SECONDS
    assert rhythm.is_due("seen")
    assert not rhythm.is_due("hidden")


@pytest.mark.parametrize("looks", [[1], [7], [1, 3, 1, 1], [3, 1, 1]], ids=str)
@pytest.mark.parametrize("presence", ["alone", "hidden"])
def test_an_idle_tab_costs_the_api_less_than_a_request_a_minute(
    clock: Clock, presence: Presence, looks: list[int]
) -> None:
    """``looks`` are the requests of each part of the page that follows."""
    parts = [(Rhythm(2.0, None), requests) for requests in looks]
    for rhythm, requests in parts:
        rhythm.begin()
        rhythm.end(again=False, requests=requests)
    hours, asked = 12, 0
    for _ in range(hours * 60 * 60 // 2):
        clock.now += 2
        for rhythm, requests in parts:
            if rhythm.is_due(presence, len(parts)):
                rhythm.begin()
                rhythm.end(again=False, requests=requests)
                asked += requests
    assert asked > 0
    # And who is signed in, which a tab asks each time that it has rested
    assert asked / (hours * 60) + 60 / IDLE_SECONDS < 1
    # Whoever comes back sees what there is now
    clock.now += 2
    assert all(rhythm.is_due("seen", len(parts)) for rhythm, _ in parts)


def test_a_look_that_another_tab_paid_for_costs_as_much_as_the_last_that_asked(
    clock: Clock,
) -> None:
    rhythm = Rhythm(2.0, None)
    for requests in (3, 0):
        rhythm.begin()
        rhythm.end(again=False, requests=requests)
    clock.now += 3 * 60
    assert not rhythm.is_due("hidden")
