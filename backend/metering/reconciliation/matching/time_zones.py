"""Recognizes days of another time zone, by shifting where days begin. Pure."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import accumulate

from backend.metering.reconciliation.matching.evidence import (
    Difference,
    Evidence,
    Explained,
    Series,
    day_bounds,
)
from backend_client.types.reconciliation import DiscrepancyCause as Cause

_OFFSETS = [timedelta(minutes=15 * step) for step in range(-56, 57) if step]
"""Every real offset from UTC is a multiple of a quarter hour, within fourteen hours."""


def time_zone_cuts(
    differences: Sequence[Difference], evidence: Evidence
) -> dict[tuple[str, str], Explained]:
    """Return the models and meters whose days all agree if days begin at another hour."""
    by_line: dict[tuple[str, str], list[Difference]] = {}
    for difference in differences:
        by_line.setdefault((difference.place[1], difference.place[2]), []).append(difference)
    causes: dict[tuple[str, str], Explained] = {}
    for line, off in by_line.items():
        series = evidence.series.get(line, ())
        # A single day, or differences of one sign, can't be explained by where days begin.
        if len(off) < 2 or not series or len({difference.excess > 0 for difference in off}) < 2:
            continue
        offset = _offset_that_agrees(off, series, evidence)
        if offset is not None:
            causes[line] = (
                Cause.TIME_ZONE_CUT,
                f"Each day agrees if it begins {_clock(offset)} in {evidence.zone.key}: the "
                "export counts in another time zone's days.",
            )
    return causes


def _offset_that_agrees(
    off: Sequence[Difference], series: Series, evidence: Evidence
) -> timedelta | None:
    moments = [moment for moment, _ in series]
    sums = [Decimal(0), *accumulate(quantity for _, quantity in series)]

    def between(start: datetime, end: datetime) -> Decimal:
        return sums[bisect_left(moments, end)] - sums[bisect_left(moments, start)]

    def disagreement(offset: timedelta) -> Decimal:
        worst = Decimal(0)
        for difference in off:
            start, end = day_bounds(difference.place[0], evidence.zone)
            shifted = between(start + offset, end + offset)
            larger = max(shifted, difference.provider)
            worst = max(
                worst, abs(shifted - difference.provider) / larger if larger else Decimal(0)
            )
        return worst

    best = min(_OFFSETS, key=lambda offset: (disagreement(offset), abs(offset)))
    return best if disagreement(best) <= evidence.tolerance.relative else None


def _clock(offset: timedelta) -> str:
    minutes = abs(int(offset.total_seconds())) // 60
    side = "later" if offset > timedelta(0) else "earlier"
    return f"{minutes // 60}:{minutes % 60:02d} h {side} than midnight"
