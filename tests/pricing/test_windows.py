"""Time windows follow the clocks of their zone, also on the days that clocks change."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from backend.pricing.charges.rate_card import MeteredQuantity, RateCard
from backend.pricing.charges.windows import cut_at_windows
from backend.pricing.rating.rated_period import rate
from backend_client.types.charges import PerUnitCharge, TimeWindow
from backend_client.types.plans import PlanDefinition
from tests.pricing.strategies import PERIOD, whole

pytestmark = pytest.mark.fast

QUARTER = timedelta(minutes=15)


def window(start: str, end: str, zone: str = "UTC", name: str = "night", **more) -> TimeWindow:
    return TimeWindow(id=name, name=name.title(), time_zone=zone, start=start, end=end, **more)


def plan(*windows: TimeWindow) -> PlanDefinition:
    return PlanDefinition(id="plan", name="Plan", windows=list(windows))


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def inside(
    definition: PlanDefinition, start: str, end: str, name: str = "night"
) -> list[list[str]]:
    spans = cut_at_windows(definition, at(start), at(end))
    return [
        [f"{span.start:%dT%H:%M}", f"{span.end:%dT%H:%M}"] for span in spans if span.window == name
    ]


def test_a_plan_without_windows_is_one_span() -> None:
    for definition in (None, plan()):
        (span,) = cut_at_windows(definition, at("2026-03-01T00:00Z"), at("2026-04-01T00:00Z"))
        assert (span.window, span.end) == (None, at("2026-04-01T00:00Z"))


@pytest.mark.parametrize(
    ("zone", "start", "end", "expected"),
    [
        (
            "UTC",
            "2026-03-10T00:00Z",
            "2026-03-11T00:00Z",
            [["10T00:00", "10T06:00"], ["10T22:00", "11T00:00"]],
        ),
        # 22:00 to 06:00 at +05:45
        ("Asia/Kathmandu", "2026-03-10T12:00Z", "2026-03-11T12:00Z", [["10T16:15", "11T00:15"]]),
        # The night that clocks go from 02:00 to 03:00 lasts seven hours
        ("Europe/Berlin", "2026-03-28T12:00Z", "2026-03-29T12:00Z", [["28T21:00", "29T04:00"]]),
        # and the one that repeats 02:00 to 03:00 lasts nine
        ("Europe/Berlin", "2026-10-24T12:00Z", "2026-10-25T12:00Z", [["24T20:00", "25T05:00"]]),
        ("America/New_York", "2026-11-01T00:00Z", "2026-11-01T18:00Z", [["01T02:00", "01T11:00"]]),
        # Lord Howe's clocks change by half an hour
        (
            "Australia/Lord_Howe",
            "2026-04-04T06:00Z",
            "2026-04-05T06:00Z",
            [["04T11:00", "04T19:30"]],
        ),
    ],
)
def test_a_night_is_as_long_as_the_clocks_make_it(
    zone: str, start: str, end: str, expected: list[list[str]]
) -> None:
    assert inside(plan(window("22:00", "06:00", zone)), start, end) == expected


def test_a_window_on_some_days_counts_the_day_that_the_clock_shows() -> None:
    weekend = plan(window("00:00", "00:00", "Asia/Tokyo", days=["sat", "sun"]))
    # 2026-03-07 is a Saturday, which begins in Tokyo at 15:00 UTC on Friday
    assert inside(weekend, "2026-03-02T00:00Z", "2026-03-10T00:00Z") == [["06T15:00", "08T15:00"]]


def test_of_windows_that_overlap_the_first_counts() -> None:
    both = plan(window("20:00", "22:00", name="evening"), window("18:00", "06:00"))
    day = ("2026-03-10T12:00Z", "2026-03-11T12:00Z")
    assert inside(both, *day, "evening") == [["10T20:00", "10T22:00"]]
    assert inside(both, *day) == [["10T18:00", "10T20:00"], ["10T22:00", "11T06:00"]]


ZONES = ("UTC", "Asia/Kathmandu", "Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe")
clocks = st.builds(lambda quarter: f"{quarter // 4:02}:{quarter % 4 * 15:02}", st.integers(0, 95))


@given(
    clocks,
    clocks,
    st.sampled_from(ZONES),
    st.integers(0, 365 * 96),
    st.integers(1, 96 * 9),
    st.none() | st.sets(st.sampled_from(["mon", "wed", "sun"]), min_size=1),
)
def test_the_spans_are_the_quarter_hours_that_the_clock_shows(
    start: str, end: str, zone: str, first: int, count: int, days: set[str] | None
) -> None:
    """Walk the quarter hours one by one and read the clock; the spans must say the same."""
    definition = plan(window(start, end, zone, days=sorted(days) if days else None))
    since = datetime(2026, 1, 1, tzinfo=UTC) + first * QUARTER
    until = since + count * QUARTER
    spans = cut_at_windows(definition, since, until)
    assert (spans[0].start, spans[-1].end) == (since, until)
    assert all(span.end == following.start for span, following in pairwise(spans))
    for step in range(count):
        moment = since + step * QUARTER
        clock = moment.astimezone(ZoneInfo(zone))
        shown = f"{clock:%H:%M}"
        within = start <= shown < end if start < end else shown >= start or shown < end
        within = within and (days is None or f"{clock:%a}".lower() in days)
        (span,) = [span for span in spans if span.start <= moment < span.end]
        assert span.window == ("night" if within else None)


def charge(name: str, price: str, **more) -> PerUnitCharge:
    fields = {"meters": ["input_tokens"], "price": Decimal(price)}
    return PerUnitCharge(id=name, name=name.title(), **(fields | more))


NIGHTLY = PlanDefinition(
    id="plan",
    name="Plan",
    windows=[window("22:00", "06:00")],
    charges=[
        charge("day", "4"),
        charge("night", "1", window="night"),
        charge("large", "10", models=["large"]),
        charge("eu", "5", labels={"region": "eu"}),
        charge("eu-batch", "2", labels={"region": "eu", "tier": "batch"}),
        charge("cached", "0.5", meters=["cached_input_tokens"]),
    ],
)


@pytest.mark.parametrize(
    ("used", "chosen"),
    [
        (("small", "input_tokens"), "day"),
        (("small", "input_tokens", "night"), "night"),
        (("large", "input_tokens", "night"), "large"),
        (("small", "input_tokens", "night", (("region", "eu"),)), "eu"),
        (("small", "input_tokens", None, (("region", "us"),)), "day"),
        (("small", "input_tokens", None, (("region", "eu"), ("tier", "batch"))), "eu-batch"),
        (("small", "input_tokens", None, (("region", "us"), ("tier", "batch"))), "day"),
        (("large", "cached_input_tokens", "night", (("region", "eu"),)), "cached"),
    ],
)
def test_the_charge_that_says_most_prices(used: tuple, chosen: str) -> None:
    assert RateCard(NIGHTLY).charge_for(*used).id == chosen


def test_night_and_day_are_lines_of_their_own() -> None:
    used = [
        MeteredQuantity("small", "input_tokens", Decimal(1_000_000), "night"),
        MeteredQuantity("small", "input_tokens", Decimal(2_000_000)),
        MeteredQuantity("small", "input_tokens", Decimal(500_000), None, (("region", "eu"),)),
    ]
    bill = rate([whole(NIGHTLY, used)], PERIOD, "USD")
    assert [(line.charge.id, str(line.amount)) for line in bill.lines] == [
        ("day", "8.00"),
        ("night", "1.00"),
        ("eu", "2.50"),
    ]


@pytest.mark.parametrize(
    ("charges", "says"),
    [
        ([charge("a", "1", window="noon")], "no window 'noon'"),
        ([charge("a", "1", window="night"), charge("b", "1", window="night")], "'a' prices"),
        ([charge("a", "1", labels={"x": "1"}), charge("b", "2", labels={"x": "1"})], "'a' prices"),
        # Usage that has both labels would have two prices
        ([charge("a", "1", labels={"x": "1"}), charge("b", "2", labels={"y": "1"})], "'a' prices"),
    ],
)
def test_two_prices_for_the_same_usage_are_refused(charges: list, says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        PlanDefinition(id="plan", name="Plan", windows=NIGHTLY.windows, charges=charges)


def test_a_zone_that_is_unknown_and_a_time_off_the_quarter_are_refused() -> None:
    with pytest.raises(ValidationError, match="IANA time zone"):
        window("22:00", "06:00", "Berlin/Europe")
    for time in ("22:05", "24:00", "6:00"):
        with pytest.raises(ValidationError, match="pattern"):
            window(time, "06:00")
