"""When an open page looks again: by a clock that stands still until it is set on."""

from __future__ import annotations

import pytest

from backend_client import Unavailable
from backend_client.types.usage import UsageVersion
from portal.session import rhythm as module
from portal.session.live import Feed
from portal.session.rhythm import IDLE_SECONDS, RETRY_SECONDS, UNTOLD_SECONDS, Rhythm

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
        rhythm.end(again=True)
        began = clock.now
        while not rhythm.is_due("seen"):
            clock.now += 0.5
        pauses.append(clock.now - began)
    assert pauses == sorted(pauses)
    assert pauses[0] == 3.0
    assert pauses[-1] == IDLE_SECONDS
    rhythm.begin()
    rhythm.end(again=False)
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


def test_an_idle_page_whose_looks_cost_much_looks_the_less_often(clock: Clock) -> None:
    rhythm = Rhythm(10, None, requests=7)
    assert rhythm.is_due("seen")
    rhythm.begin()
    rhythm.end(again=False)
    # Less than a request a minute, with who is signed in
    clock.now += 7 * 60
    assert not rhythm.is_due("alone")
    assert not rhythm.is_due("hidden")
    # Whoever comes back sees what there is now
    assert rhythm.is_due("seen")
    clock.now += 60 * 60
    assert rhythm.is_due("alone")
