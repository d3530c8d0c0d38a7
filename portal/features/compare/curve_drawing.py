"""Cost against volume as an SVG, for a page without the chart's script. Plain functions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from portal.features.compare.rows import Point
from portal.kit.formatting import compact, money

WIDTH, HEIGHT = 720, 280
LEFT, BOTTOM, TOP, RIGHT = 64, 28, 12, 12
COLORS = ("#3e63dd", "#0d9b8a", "#ef5f00", "#8e4ec6", "#e54666", "#30a46c", "#a18072", "#d6409f")
"""Of lines, in the order of the plans' names: seen on a light page and on a dark one.

The page has none of the component library's colors, which the chart of the console uses.
"""


@dataclass(frozen=True)
class Line:
    """A plan's line: its points as SVG has them, and its color."""

    plan: str
    color: str
    points: str


@dataclass(frozen=True)
class Tick:
    """A mark of an axis, where it is and what stands there."""

    at: float
    text: str


@dataclass(frozen=True)
class Drawing:
    """The lines, the marks of both axes, and where the volume that is compared is."""

    lines: list[Line]
    across: list[Tick]
    up: list[Tick]
    here: float


def drawing(points: Sequence[Point], chats: Decimal, currency: str) -> Drawing | None:
    """Return what is drawn; None without a bill. Both axes go by magnitudes."""
    bills = [float(bill) for point in points for bill in point.bills.values() if bill is not None]
    if not bills:
        return None
    volumes = [float(point.chats) for point in points]
    low, high = math.log10(volumes[0]), math.log10(volumes[-1])
    top = _scaled(max(max(bills), 1.0))

    def x(volume: float) -> float:
        share = (math.log10(volume) - low) / ((high - low) or 1)
        return round(LEFT + share * (WIDTH - LEFT - RIGHT), 1)

    def y(bill: float) -> float:
        return round(HEIGHT - BOTTOM - _scaled(bill) / top * (HEIGHT - TOP - BOTTOM), 1)

    names = [name for name in points[0].bills if any(p.bills[name] is not None for p in points)]
    colors = {name: COLORS[place % len(COLORS)] for place, name in enumerate(sorted(names))}
    lines = [
        Line(
            name,
            colors[name],
            " ".join(
                f"{x(float(point.chats))},{y(float(bill))}"
                for point in points
                if (bill := point.bills[name]) is not None
            ),
        )
        for name in names
    ]
    across = [
        Tick(x(10.0**power), compact(Decimal(10) ** power))
        for power in range(math.ceil(low), math.floor(high) + 1)
    ]
    up = [
        Tick(y(10.0**power), money(Decimal(10) ** power, currency).removesuffix(".00"))
        for power in range(1, math.floor(math.log10(max(max(bills), 10.0))) + 1)
    ]
    here = x(min(max(float(chats), volumes[0]), volumes[-1]))
    return Drawing(lines, across, [Tick(y(0.0), money(Decimal(0), currency)), *up], here)


def _scaled(bill: float) -> float:
    """Return a bill on an axis that is straight near nothing, and by magnitudes above."""
    return math.asinh(bill / 10)
