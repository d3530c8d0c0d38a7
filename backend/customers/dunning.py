"""Dunning: which steps an unpaid invoice has reached. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

SUSPEND: Final = "suspend"
"""The step at which the gateway refuses the customer's calls."""


def steps_reached(due_at: datetime, now: datetime, schedule: Mapping[str, int]) -> list[str]:
    """Return the steps whose day has come, first to last.

    ``schedule`` has for each step how many whole days after ``due_at`` it is reached. It stays
    reached.
    """
    in_order = sorted(schedule.items(), key=lambda item: (item[1], item[0]))
    return [step for step, days in in_order if now >= due_at + timedelta(days=days)]


def next_step_at(due_at: datetime, now: datetime, schedule: Mapping[str, int]) -> datetime | None:
    """Return when the next step comes; None after the last."""
    moments = sorted(due_at + timedelta(days=days) for days in schedule.values())
    return next((moment for moment in moments if moment > now), None)
