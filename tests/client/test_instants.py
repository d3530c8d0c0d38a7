"""Times as they are written: taken where they mean one moment, cut to the microsecond."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from backend_client.instants import read_instant
from backend_client.types.common import Instant

pytestmark = pytest.mark.fast

MOMENT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
INSTANT = TypeAdapter(Instant)
FIRST = datetime(1900, 1, 2, tzinfo=UTC).replace(tzinfo=None)
LAST = datetime(8999, 12, 30, tzinfo=UTC).replace(tzinfo=None)


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-02T03:04:05Z",
        "2026-01-02t03:04:05z",
        "2026-01-02T03:04:05.000000000Z",
        "2026-01-02T05:04:05+02:00",
        "2026-01-01T23:34:05.0-03:30",
        "2026-01-02T03:04:05-00:00",
        "2026-01-02 03:04:05+00",  # PostgreSQL
        "2026-01-02 05:34:05.0+02:30",
        "2026-01-02 03:04:05 UTC",  # BigQuery, ClickHouse
        "2026-01-02 03:04:05.000 UTC",
        "2026-01-02 03:04:05 +0000 UTC",  # Go
        "2026-01-02 04:04:05 +0100",  # Ruby, git
        "2026-01-02T03:04:05+0000",  # Python's %z
        "2026-01-02 03:04:05 GMT",
    ],
)
def test_what_names_one_moment_is_taken(text: str) -> None:
    assert read_instant(text) == MOMENT
    assert INSTANT.validate_python(text) == MOMENT
    assert INSTANT.validate_python(text).tzinfo is UTC


def test_seconds_may_be_left_out() -> None:
    assert read_instant("2026-01-02T03:04Z") == MOMENT.replace(second=0)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("2026-01-02 03:04:05", "has no offset"),
        ("2026-01-02T03:04:05.123456789", "has no offset"),
        ("2026-01-02T03:04:05 00:00", "%2B"),  # an address without escapes
        ("2026-01-02 03:04:05 EST", "no time with an offset"),  # means several
        ("2026-01-02", "no time with an offset"),
        ("02.01.2026 03:04:05Z", "no time with an offset"),
        ("2026-W01-5T03:04:05Z", "no time with an offset"),
        ("2026-01-02T03:04:05,5Z", "no time with an offset"),
        ("20260102T030405Z", "no time with an offset"),
        ("1767323045", "no time with an offset"),
        ("1767323045.5", "no time with an offset"),
        ("2026-02-30T03:04:05Z", "no time of the calendar"),
        ("2026-01-02T25:04:05Z", "no time of the calendar"),
        ("2026-01-02 03:04:05+25", "no time of the calendar"),
        ("٢٠٢٦-01-02T03:04:05Z", "no time with an offset"),
        ("", "no time with an offset"),
        ("2026-01-02T03:04:05." + "0" * 5_000 + "+00", "no time with an offset"),
    ],
)
def test_what_could_mean_several_is_refused_in_a_sentence(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        read_instant(text)
    with pytest.raises(ValidationError, match=why):
        INSTANT.validate_python(text)


@pytest.mark.parametrize("number", [1767323045, 1767323045000, 1767323045.5, True])
def test_a_number_is_no_time(number: object) -> None:
    with pytest.raises(ValidationError, match="is a number"):
        INSTANT.validate_python(number)


def test_nanoseconds_are_cut_and_never_carry_into_the_next_month() -> None:
    last = datetime(2026, 10, 31, 23, 59, 59, 999999, tzinfo=UTC)
    for end in ("Z", "+00:00", "+00", " UTC"):
        for nanoseconds in ("9999996", "999999999", "99999950000000"):
            text = f"2026-10-31T23:59:59.{nanoseconds}{end}"
            assert read_instant(text) == last, text
            assert INSTANT.validate_python(text) == last


def test_a_leap_second_stays_in_its_day() -> None:
    assert read_instant("2016-12-31T23:59:60Z") == datetime(
        2016, 12, 31, 23, 59, 59, 999999, tzinfo=UTC
    )


@given(
    st.datetimes(FIRST, LAST),
    st.integers(-23 * 60, 23 * 60),
    st.text("0123456789", max_size=6),
    st.sampled_from("T "),
)
def test_any_moment_in_any_offset_is_read_as_it_is_meant(
    utc: datetime, minutes: int, more_digits: str, separator: str
) -> None:
    moment = utc.replace(tzinfo=UTC)
    local = utc + timedelta(minutes=minutes)
    sign, (hours, rest) = "-" if minutes < 0 else "+", divmod(abs(minutes), 60)
    text = f"{local:%Y-%m-%d}{separator}{local:%H:%M:%S.%f}{more_digits}{sign}{hours:02}:{rest:02}"
    assert read_instant(text) == moment
