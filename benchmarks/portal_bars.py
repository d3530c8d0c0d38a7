"""A figure of the portal with the bar that it has to keep."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass
class Bar:
    """A figure, and the most that it may be."""

    name: str
    value: float
    most: float
    unit: str

    def __str__(self) -> str:
        kept = "kept" if self.value <= self.most else "MISSED"
        value = f"{self.value:,.0f}" if self.value >= 100 else f"{self.value:.3g}"
        return f"  {self.name:<58} {value:>9} {self.unit:<8} ≤ {self.most:g}  {kept}"


def p95(values: Sequence[float]) -> float:
    """Return the value that 95 of 100 are at or below."""
    return sorted(values)[max(0, -(-95 * len(values) // 100) - 1)]
