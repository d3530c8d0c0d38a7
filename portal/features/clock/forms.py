"""How far a clock is to go, as its form asks. Plain functions."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from portal.kit.form_problems import FormProblems, text_of

FIELDS = ("step", "to", "form")
STEPS = {
    "now": "Not at all: do what is due now",
    "day": "A day",
    "week": "A week",
    "month": "A month",
    "months": "Two months",
    "to": "To a day and time",
}
_DAYS = {"now": 0, "day": 1, "week": 7}
_MONTHS = {"month": 1, "months": 2}


def target_from(form: Mapping[str, Any], at: datetime, time_zone: str) -> datetime:
    """The instant to go on to, on the customer's clocks; raises ``FormProblems``."""
    step, zone = text_of(form, "step"), ZoneInfo(time_zone)
    local = at.astimezone(zone)
    if step in _DAYS:
        # At the same time of day, also where clocks are set forward or back
        return at if step == "now" else (local + timedelta(days=_DAYS[step])).astimezone(UTC)
    if step in _MONTHS:
        return _months_on(local, _MONTHS[step]).astimezone(UTC)
    text = text_of(form, "to")
    try:
        return datetime.fromisoformat(text).replace(tzinfo=zone).astimezone(UTC)
    except ValueError:
        raise FormProblems({"to": "Choose a day and a time."}) from None


def by_field(problems: list[tuple[str, str]]) -> dict[str, str]:
    """The form's fields that problems are of; the API calls them the same."""
    by_name: dict[str, str] = {}
    for path, why in problems:
        by_name.setdefault(path if path in FIELDS else "form", why)
    return by_name


def _months_on(local: datetime, months: int) -> datetime:
    """The same day of a later month, or its last."""
    years, month = divmod(local.month - 1 + months, 12)
    year = local.year + years
    day = min(local.day, monthrange(year, month + 1)[1])
    return local.replace(year=year, month=month + 1, day=day)
