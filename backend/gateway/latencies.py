"""Times of calls in a few numbers: how many took how long, and percentiles of these. Pure."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import Final

BOUNDS: Final[tuple[float, ...]] = tuple(0.05 * 1.25**step for step in range(40))
"""Seconds up to which a time is in each bucket; the last bucket has what took longer.

From 50 ms to 5 minutes, each a quarter above the one before: a percentile is within a quarter
of the true one.
"""
BUCKETS: Final = len(BOUNDS) + 1


def bucket_of(seconds: float) -> int:
    """Return the bucket that a time is counted in."""
    return bisect_left(BOUNDS, seconds)


def percentile(counts: Sequence[int], share: float) -> float | None:
    """Return the time in seconds that ``share`` of the times are below; None without any.

    Within a bucket times are taken to be spread evenly.
    """
    total = sum(counts)
    if total == 0:
        return None
    wanted = share * total
    passed = 0
    for bucket, count in enumerate(counts):
        if count and passed + count >= wanted:
            lower = BOUNDS[bucket - 1] if bucket else 0.0
            upper = BOUNDS[min(bucket, len(BOUNDS) - 1)]
            return lower + max(upper - lower, 0.0) * (wanted - passed) / count
        passed += count
    raise AssertionError("the counts add up to their total")  # pragma: no cover
