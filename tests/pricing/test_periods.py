"""Billing periods follow the tenant's calendar, across clock changes, and tile the year."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from zoneinfo import available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.pricing.periods import (
    BillingPeriod,
    billing_period,
    is_quarter_hour,
    next_billing_period,
    next_quarter_hour,
    quarter_hour_of,
)

pytestmark = pytest.mark.fast


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


@pytest.mark.parametrize(
    ("moment", "zone", "start", "end"),
    [
        ("2026-02-10T00:00Z", "UTC", "2026-02-01T00:00Z", "2026-03-01T00:00Z"),
        ("2026-03-31T22:30Z", "Europe/Berlin", "2026-03-31T22:00Z", "2026-04-30T22:00Z"),
        ("2026-03-31T21:59Z", "Europe/Berlin", "2026-02-28T23:00Z", "2026-03-31T22:00Z"),
        ("2026-11-15T00:00Z", "America/New_York", "2026-11-01T04:00Z", "2026-12-01T05:00Z"),
        ("2028-02-29T12:00Z", "Asia/Kathmandu", "2028-01-31T18:15Z", "2028-02-29T18:15Z"),
        ("2026-12-31T23:59Z", "UTC", "2026-12-01T00:00Z", "2027-01-01T00:00Z"),
        # Clocks went from 24:00 to 01:00 here, so this month has no midnight of the first.
        ("2022-10-01T12:00Z", "America/Asuncion", "2022-10-01T04:00Z", "2022-11-01T03:00Z"),
    ],
)
def test_a_period_is_a_calendar_month_of_the_tenants_zone(
    moment: str, zone: str, start: str, end: str
) -> None:
    assert billing_period(at(moment), zone) == BillingPeriod(at(start), at(end), zone)


moments = st.integers(0, 48 * 366 * 86_400).map(
    lambda seconds: datetime(1990, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
)


@given(moments, st.sampled_from(sorted(available_timezones())))
def test_periods_hold_their_moment_tile_time_and_split_rollups(moment: datetime, zone: str) -> None:
    period = billing_period(moment, zone)
    assert period.start <= moment < period.end
    assert next_billing_period(period).start == period.end
    assert billing_period(period.end - timedelta(microseconds=1), zone) == period
    assert is_quarter_hour(period.start)
    assert is_quarter_hour(period.end)
    assert timedelta(days=26) < period.end - period.start < timedelta(days=33)


@given(moments)
def test_quarter_hours(moment: datetime) -> None:
    floor, ceiling = quarter_hour_of(moment), next_quarter_hour(moment)
    assert is_quarter_hour(floor)
    assert is_quarter_hour(ceiling)
    assert floor <= moment <= ceiling
    assert ceiling - floor == (timedelta(0) if is_quarter_hour(moment) else timedelta(minutes=15))


@given(moments, st.lists(st.integers(0, 2976), max_size=6))
def test_shares_of_adjacent_segments_are_the_whole(moment: datetime, cuts: list[int]) -> None:
    period = billing_period(moment, "Europe/Berlin")
    edges = sorted(min(period.end, period.start + timedelta(minutes=15) * cut) for cut in cuts)
    edges = [period.start, *edges, period.end]
    shares = [period.share(a, b) for a, b in itertools.pairwise(edges)]
    assert sum(shares) == Fraction(1)


def test_what_lies_outside_the_period_has_no_share() -> None:
    period = billing_period(at("2026-02-10T00:00Z"), "UTC")
    assert period.share(at("2026-01-01T00:00Z"), at("2026-02-15T00:00Z")) == Fraction(1, 2)
    assert period.share(at("2026-03-01T00:00Z"), at("2026-04-01T00:00Z")) == 0
