"""Time windows with prices of their own: which quarter hours lie in them. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from backend.pricing.periods import QUARTER_HOUR
from backend_client.types.charges import Day, TimeWindow
from backend_client.types.plans import PlanDefinition

_DAYS: Final[tuple[Day, ...]] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@dataclass(frozen=True, slots=True)
class WindowedTime:
    """A time that lies wholly in one of a plan's windows, or (None) in none."""

    start: datetime
    end: datetime
    window: str | None


def cut_at_windows(
    plan: PlanDefinition | None, start: datetime, end: datetime
) -> list[WindowedTime]:
    """Cut ``start`` to ``end``, both at quarter hours, where the plan's windows begin and end.

    Usage is summed over each of these times, and rated with the window's id. A quarter hour is in a
    window if the clocks of the window's zone say so when it starts, also on days that skip or
    repeat an hour.
    """
    if plan is None or not plan.windows:
        return [WindowedTime(start, end, None)]
    return list(_cut(tuple(map(_Clock.of, plan.windows)), start, end))


@lru_cache(maxsize=256)  # tenants of one plan mostly have the same periods, of 3,000 quarter hours
def _cut(clocks: tuple[_Clock, ...], start: datetime, end: datetime) -> tuple[WindowedTime, ...]:
    times: list[WindowedTime] = []
    since, current = start, _window_at(clocks, start)
    moment = start + QUARTER_HOUR
    while moment < end:
        following = _window_at(clocks, moment)
        if following != current:
            times.append(WindowedTime(since, moment, current))
            since, current = moment, following
        moment += QUARTER_HOUR
    return (*times, WindowedTime(since, end, current))


@dataclass(frozen=True, slots=True)
class _Clock:
    """A window in numbers, since thousands of quarter hours are asked: minutes of a day."""

    id: str
    zone: ZoneInfo
    weekdays: frozenset[int]
    start: int
    end: int

    @classmethod
    def of(cls, window: TimeWindow) -> _Clock:
        weekdays = frozenset(map(_DAYS.index, window.days or _DAYS))
        start, end = (_minute_of_day(clock) for clock in (window.start, window.end))
        return cls(window.id, ZoneInfo(window.time_zone), weekdays, start, end)

    def shows(self, moment: datetime) -> bool:
        """Tell whether the clocks of the zone say that ``moment`` is in the window."""
        local = moment.astimezone(self.zone)
        minute = local.hour * 60 + local.minute
        if self.start < self.end:
            within = self.start <= minute < self.end
        else:  # past midnight
            within = minute >= self.start or minute < self.end
        return within and local.weekday() in self.weekdays


def _minute_of_day(clock: str) -> int:
    hour, _, minute = clock.partition(":")
    return int(hour) * 60 + int(minute)


def _window_at(clocks: Sequence[_Clock], moment: datetime) -> str | None:
    for clock in clocks:
        if clock.shows(moment):
            return clock.id
    return None
