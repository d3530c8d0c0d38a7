"""What the playground takes from a browser, and what it says of a model."""

from __future__ import annotations

import math

import pytest

from portal.features.playground.rows import quantities, within

pytestmark = pytest.mark.fast


@pytest.mark.parametrize(
    ("chosen", "taken"),
    [(0.5, 0.5), ("1.5", 1.5), (-1, 0.0), (9, 2.0), ("x", 0.7), (None, 0.7), (math.nan, 0.7)],
)
def test_a_number_from_a_browser_is_kept_within_bounds(chosen: object, taken: float) -> None:
    assert within(chosen, 0.0, 2.0, otherwise=0.7) == taken


def test_reported_usage_becomes_disjoint_meters() -> None:
    reported = {
        "prompt_tokens": 30,
        "completion_tokens": 12,
        "prompt_tokens_details": {"cached_tokens": 20},
        "completion_tokens_details": {"reasoning_tokens": 5},
    }
    assert quantities(reported) == {
        "requests": 1,
        "input_tokens": 10,
        "cached_input_tokens": 20,
        "output_tokens": 7,
        "reasoning_tokens": 5,
    }
    assert quantities({"prompt_tokens": 3, "prompt_tokens_details": None})["input_tokens"] == 3
