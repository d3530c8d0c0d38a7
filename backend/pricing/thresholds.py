"""When people are told that much of a quota or a budget is used, or all of it. Pure."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from backend.pricing.money import exact_arithmetic

THRESHOLDS: Final = (100, 80)
"""Percentages of a quota or a budget at which its tenant is told, the highest first."""


def threshold_reached(used: Decimal, limit: Decimal) -> int | None:
    """Return the highest threshold that is reached; None if none is, or nothing is used."""
    if used <= 0:
        return None
    with exact_arithmetic():
        return next((percent for percent in THRESHOLDS if used * 100 >= limit * percent), None)
