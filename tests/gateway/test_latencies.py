"""Percentiles from buckets are near those of the times themselves."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.gateway.latencies import BOUNDS, BUCKETS, bucket_of, percentile

pytestmark = pytest.mark.fast

seconds = st.floats(min_value=BOUNDS[0] * 1.001, max_value=BOUNDS[-1])


def counted(times: list[float]) -> list[int]:
    counts = [0] * BUCKETS
    for time in times:
        counts[bucket_of(time)] += 1
    return counts


@given(st.lists(seconds, min_size=1), st.floats(min_value=0.01, max_value=1.0))
def test_a_percentile_is_off_by_no_more_than_its_bucket(times: list[float], share: float) -> None:
    estimate = percentile(counted(times), share)
    assert estimate is not None
    ordered = sorted(times)
    exact = next(
        time for place, time in enumerate(ordered, 1) if place >= share * len(ordered) - 1e-9
    )
    assert exact / 1.2501 <= estimate <= exact * 1.2501


def test_without_times_there_is_none_and_what_takes_too_long_is_the_longest() -> None:
    assert percentile([0] * BUCKETS, 0.5) is None
    assert percentile(counted([4000.0]), 0.5) == BOUNDS[-1]
