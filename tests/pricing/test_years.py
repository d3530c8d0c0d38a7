"""The years that yearly fees are for: to the same local date and time of the next year."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.pricing.rating.years import PlanYears

pytestmark = pytest.mark.fast

QUARTER = timedelta(minutes=15)
zones = st.sampled_from(
    [
        "UTC",
        "Europe/Berlin",
        "America/St_Johns",
        "Asia/Kathmandu",
        "Australia/Lord_Howe",
        "Africa/Cairo",  # where midnights are skipped
    ]
)
moments = st.integers(0, 5 * 366 * 96).map(lambda n: datetime(2026, 1, 1, tzinfo=UTC) + n * QUARTER)


def starts(since: str, zone: str, *numbers: int) -> list[str]:
    local = datetime.fromisoformat(since).replace(tzinfo=ZoneInfo(zone))
    years = PlanYears(local.astimezone(UTC), zone)
    return [f"{years.start(n).astimezone(ZoneInfo(zone)):%Y-%m-%dT%H:%M}" for n in numbers]


def test_29_february_is_the_28th_until_there_is_one_again() -> None:
    assert starts("2028-02-29T13:15", "Europe/Berlin", 0, 1, 2, 3, 4) == [
        "2028-02-29T13:15",
        "2029-02-28T13:15",
        "2030-02-28T13:15",
        "2031-02-28T13:15",
        "2032-02-29T13:15",
    ]


def test_a_time_that_clocks_skip_is_where_they_would_have_been() -> None:
    # In Berlin the 28th of March 2027 has no half past two
    assert starts("2026-03-28T02:30", "Europe/Berlin", 1, 2) == [
        "2027-03-28T03:30",
        "2028-03-28T02:30",
    ]
    # and the 31st of October 2027 has it twice: the first counts
    years = PlanYears(datetime(2026, 10, 31, 1, 30, tzinfo=UTC), "Europe/Berlin")
    assert years.start(1) == datetime(2027, 10, 31, 0, 30, tzinfo=UTC)


def test_a_year_is_divided_by_its_seconds_or_its_days() -> None:
    years = PlanYears(datetime(2027, 7, 1, 12, tzinfo=UTC), "UTC")
    assert years.passed(datetime(2027, 7, 2, tzinfo=UTC)) == Fraction(1, 2 * 366)
    assert years.passed(datetime(2027, 7, 2, tzinfo=UTC), by_day=True) == Fraction(1, 366)
    assert years.passed(datetime(2027, 7, 1, 23, tzinfo=UTC), by_day=True) == 0
    # By days a year is over when its last one begins: that day is of what it ends on
    assert years.passed(datetime(2028, 7, 1, tzinfo=UTC), by_day=True) == 1
    assert years.passed(datetime(2028, 7, 1, tzinfo=UTC)) == 1 - Fraction(1, 2 * 366)


@given(moments, zones, st.integers(0, 6))
def test_years_follow_one_another_at_the_same_local_time(
    since: datetime, zone: str, number: int
) -> None:
    years = PlanYears(since, zone)
    start, follows = years.start(number), years.start(number + 1)
    assert timedelta(days=365, hours=-2) <= follows - start <= timedelta(days=366, hours=2)
    for by_day in (False, True):
        assert years.passed(start, by_day=by_day) == number
    assert years.passed(start - QUARTER) < number <= years.passed(start + QUARTER)
    first, local = (moment.astimezone(ZoneInfo(zone)) for moment in (since, start))
    if (first.month, first.day) == (2, 29):
        assert local.month == 2
        assert local.day == (29 if local.year % 4 == 0 else 28)
    else:
        assert (local.month, local.day) == (first.month, first.day)
    wanted = local.replace(hour=first.hour, minute=first.minute)
    if (
        wanted.astimezone(UTC).astimezone(ZoneInfo(zone)).time() == first.time()
    ):  # no clock skips it
        assert local.time() == first.time()


@given(moments, zones, st.integers(0, 4 * 366 * 96), st.integers(0, 400 * 96), st.booleans())
def test_time_only_goes_on(since: datetime, zone: str, first: int, more: int, by_day: bool) -> None:
    years = PlanYears(since, zone)
    earlier, later = since + first * QUARTER, since + (first + more) * QUARTER
    passed = [years.passed(moment, by_day=by_day) for moment in (earlier, later)]
    assert passed[0] <= passed[1]
    assert passed[0] < passed[1] or by_day or not more
