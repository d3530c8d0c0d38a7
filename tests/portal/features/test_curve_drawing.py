"""Cost by volume as strangers see it: lines within their place, in colors that are seen."""

from __future__ import annotations

import re
from decimal import Decimal

import pytest

from portal.features.compare.curve_drawing import BOTTOM, HEIGHT, LEFT, RIGHT, WIDTH, drawing
from portal.features.compare.rows import Point

pytestmark = pytest.mark.fast

POINTS = [
    Point(Decimal(100), {"Free": Decimal(0), "Large": Decimal(49), "Gone": None}),
    Point(Decimal(1_000), {"Free": None, "Large": Decimal(60), "Gone": None}),
    Point(Decimal(10_000), {"Free": None, "Large": Decimal(5_000), "Gone": None}),
]


def test_a_line_ends_where_its_plan_does_and_all_are_within_the_drawing() -> None:
    chart = drawing(POINTS, Decimal(1_000), "USD")
    assert chart is not None
    by_plan = {line.plan: line.points.split() for line in chart.lines}
    assert {plan: len(points) for plan, points in by_plan.items()} == {"Free": 1, "Large": 3}
    for points in by_plan.values():
        for x, y in (map(float, point.split(",")) for point in points):
            assert LEFT <= x <= WIDTH - RIGHT
            assert 0 <= y <= HEIGHT - BOTTOM
    heights = [float(point.split(",")[1]) for point in by_plan["Large"]]
    assert heights == sorted(heights, reverse=True)
    assert LEFT < chart.here < WIDTH - RIGHT
    # Not a variable of a style sheet that the page does not have
    assert all(re.fullmatch("#[0-9a-f]{6}", line.color) for line in chart.lines)


def test_without_a_bill_there_is_nothing_to_draw() -> None:
    assert drawing([Point(Decimal(1), {"Gone": None})], Decimal(1), "USD") is None
