"""How far a test clock is to go, and what its page says of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend_client.types.test_clocks import TestClock, TestClockState
from portal.features.clock.forms import STEPS, by_field, target_from
from portal.features.clock.rows import ClockView, clock_view, is_on_its_way
from portal.kit.form_problems import FormProblems, problems_by_field

pytestmark = pytest.mark.fast

BERLIN = "Europe/Berlin"
EPOCH = datetime(2000, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("step", "at", "to"),
    [
        ("now", "2031-03-01T12:00Z", "2031-03-01T12:00Z"),
        ("day", "2031-03-01T12:00Z", "2031-03-02T12:00Z"),
        # Clocks are set forward in that night: the same time of day comes an hour sooner
        ("day", "2031-03-29T12:00Z", "2031-03-30T11:00Z"),
        ("week", "2031-12-28T12:00Z", "2032-01-04T12:00Z"),
        ("month", "2031-01-31T12:00Z", "2031-02-28T12:00Z"),
        ("month", "2031-02-28T23:30Z", "2031-03-31T22:30Z"),  # the first of March there
        ("months", "2031-12-31T12:00Z", "2032-02-29T12:00Z"),
    ],
)
def test_a_step_is_one_of_the_customers_calendar(step: str, at: str, to: str) -> None:
    moment = datetime.fromisoformat(at)
    assert target_from({"step": step}, moment, BERLIN) == datetime.fromisoformat(to)


def test_a_day_and_time_are_of_the_customers_clocks() -> None:
    at = datetime(2031, 3, 1, tzinfo=UTC)
    form = {"step": "to", "to": "2031-07-01T09:30"}
    assert target_from(form, at, BERLIN) == datetime(2031, 7, 1, 7, 30, tzinfo=UTC)
    for text in ("", "tomorrow"):
        with pytest.raises(FormProblems) as wrong:
            target_from({"step": "to", "to": text}, at, BERLIN)
        assert problems_by_field(wrong.value, by_field).keys() == {"to"}


@given(
    st.sampled_from([step for step in STEPS if step != "to"]),
    st.integers(0, 99 * 365 * 24).map(lambda hours: EPOCH + timedelta(hours=hours)),
    st.sampled_from([BERLIN, "America/St_Johns", "Pacific/Apia", "Australia/Lord_Howe"]),
)
def test_no_step_goes_back_or_further_than_a_clock_may(
    step: str, at: datetime, time_zone: str
) -> None:
    hours = (target_from({"step": step}, at, time_zone) - at).total_seconds() / 3600
    # A clock may go 62 days; two months in a row that have 31 are no longer, and an hour is spare
    assert 0 <= hours <= 62 * 24 + 1


def test_a_clock_says_where_it_stands_and_where_it_goes() -> None:
    clock = TestClock(
        tenant_id="ten_1",
        at=datetime(2031, 3, 1, 12, tzinfo=UTC),
        state=TestClockState.ADVANCING,
        target=datetime(2031, 4, 1, tzinfo=UTC),
        problem=None,
    )
    assert is_on_its_way(clock)
    assert clock_view(clock, BERLIN) == ClockView(
        at="1 Mar 2031, 13:00:00",
        state="advancing",
        words="Advancing",
        color="blue",
        target="1 Apr 2031, 02:00:00",
    )
