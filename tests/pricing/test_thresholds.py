"""The one rule of when people are told that much is used, of quotas and of all budgets."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.pricing.thresholds import THRESHOLDS, threshold_reached

pytestmark = pytest.mark.fast


@pytest.mark.parametrize(
    ("used", "limit", "threshold"),
    [
        ("79.9999999999999999999999999999999999999999", "100", None),
        ("80", "100", 80),
        ("99.9999999999999999999999999999999999999999", "100", 80),
        ("100", "100", 100),
        ("250", "100", 100),
        ("0", "100", None),
        ("0", "0", None),
        ("1", "0", 100),
        ("-1", "100", None),
    ],
)
def test_the_highest_threshold_that_is_reached(
    used: str, limit: str, threshold: int | None
) -> None:
    assert threshold_reached(Decimal(used), Decimal(limit)) == threshold


@given(
    used=st.decimals(0, 10**12, places=10),
    more=st.decimals(0, 10**12, places=10),
    limit=st.decimals(0, 10**12, places=10),
)
def test_who_uses_more_is_told_of_no_lower_threshold(
    used: Decimal, more: Decimal, limit: Decimal
) -> None:
    lower, higher = threshold_reached(used, limit), threshold_reached(used + more, limit)
    assert (lower or 0) <= (higher or 0)
    assert lower in (None, *THRESHOLDS)
