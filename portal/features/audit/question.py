"""Which entries are asked for: the filters as they are written, and as the API takes them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from backend_client.types.audit import AuditFilter
from portal.kit.form_problems import FormProblems

FIELDS = ("actor", "action", "target", "tenant", "since", "until")


@dataclass(frozen=True)
class AuditQuestion:
    """What is written in the filters; ``since`` and ``until`` are days, both included."""

    actor: str = ""
    action: str = ""
    target: str = ""
    tenant: str = ""
    since: str = ""
    until: str = ""

    @property
    def is_filtered(self) -> bool:
        """Whether it leaves anything out."""
        return self != AuditQuestion()


def audit_filter(question: AuditQuestion, time_zone: str) -> AuditFilter:
    """What the API is asked; days are those of the time zone.

    Raises:
        FormProblems: a day is none.
    """
    since, until = _day("since", question.since), _day("until", question.until)
    zone = ZoneInfo(time_zone)
    return AuditFilter(
        actor=question.actor or None,
        action=question.action or None,
        target=question.target or None,
        start=None if since is None else _begin(since, zone),
        end=None if until is None else _begin(until + timedelta(days=1), zone),
    )


def _day(field: str, text: str) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise FormProblems({field: "Write a day, such as 2026-03-31."}) from None


def _begin(day: date, zone: ZoneInfo) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=zone)
