"""Time windows with prices of their own: which quarter hours lie in them. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
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
    clocks = [(window, ZoneInfo(window.time_zone)) for window in plan.windows]
    times: list[WindowedTime] = []
    since, current = start, _window_at(clocks, start)
    moment = start + QUARTER_HOUR
    while moment < end:
        following = _window_at(clocks, moment)
        if following != current:
            times.append(WindowedTime(since, moment, current))
            since, current = moment, following
        moment += QUARTER_HOUR
    return [*times, WindowedTime(since, end, current)]


def _window_at(clocks: list[tuple[TimeWindow, ZoneInfo]], moment: datetime) -> str | None:
    for window, zone in clocks:
        local = moment.astimezone(zone)
        if window.days is not None and _DAYS[local.weekday()] not in window.days:
            continue
        clock = f"{local.hour:02}:{local.minute:02}"
        begun, over = window.start <= clock, clock >= window.end
        past_midnight = window.end <= window.start
        if (begun or not over) if past_midnight else (begun and not over):
            return window.id
    return None
