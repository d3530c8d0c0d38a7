"""When a growing value passes a limit, over many futures. Pure."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

EARLY, LIKELY = 0.1, 0.5


@dataclass(frozen=True, slots=True)
class Passing:
    """The ``chance`` (0 to 1) of passing by the end, and the days on which it is reached.

    ``early`` is the first day by whose end a tenth of the futures have passed, ``likely`` the first
    by whose end half have; each is the day's start, or None if there is no such day.
    """

    chance: float
    early: datetime | None
    likely: datetime | None


def passing(
    days: Sequence[datetime], sorted_values: Sequence[Sequence[Decimal]], limit: Decimal
) -> Passing:
    """Return when ``limit`` is passed, from each day's sorted values, which never shrink."""
    chances = [1 - bisect_right(values, limit) / len(values) for values in sorted_values]

    def first(chance: float) -> datetime | None:
        return next(
            (day for day, likelihood in zip(days, chances, strict=True) if likelihood >= chance),
            None,
        )

    return Passing(chances[-1], first(EARLY), first(LIKELY))
