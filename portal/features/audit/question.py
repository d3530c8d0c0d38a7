"""Which entries are asked for: the filters as they are written, and as the API takes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from urllib.parse import urlencode
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


def question_of(written: Mapping[str, object]) -> AuditQuestion:
    """The question of a form, or of an address."""
    return AuditQuestion(**{name: str(written.get(name) or "").strip() for name in FIELDS})


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


def address_query(question: AuditQuestion, *, everybody: bool) -> str:
    """The query of the address that downloads what the question asks for."""
    written = {name: getattr(question, name) for name in FIELDS}
    kept = {name: value for name, value in written.items() if value}
    return urlencode(kept | ({"everybody": "1"} if everybody else {}))


def _day(field: str, text: str) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise FormProblems({field: "Write a day, such as 2026-03-31."}) from None


def _begin(day: date, zone: ZoneInfo) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=zone)
