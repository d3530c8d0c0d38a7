"""Pauses double up to the longest, and what failed together does not come back together."""

from __future__ import annotations

from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.kit.backoff import pause_after, pauses

pytestmark = pytest.mark.fast


def test_each_pause_is_the_double_of_the_one_before_up_to_the_longest() -> None:
    waits = [pause_after(failures, first=0.5, longest=10) for failures in range(7)]
    assert waits == [0, 0.5, 1, 2, 4, 8, 10]


@given(st.integers(1, 10_000), st.floats(0, 1))
def test_a_pause_is_at_most_a_fifth_off(failures: int, chance: float) -> None:
    middle = pause_after(failures, first=1, longest=60)
    pause = pause_after(failures, first=1, longest=60, chance=chance)
    assert 0.8 * middle <= pause <= 1.2 * middle + 1e-9
    assert 1 <= middle <= 60


def test_pauses_go_on_without_end_and_differ() -> None:
    waits = list(islice(pauses(1, 8), 2_000))
    assert all(0.8 * 8 <= wait <= 1.2 * 8 for wait in waits[3:])
    assert len(set(waits)) > 1_000
