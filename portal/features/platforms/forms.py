"""What the forms of the platforms page ask for. Plain functions."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from typing import Any

from backend_client.types.platforms import DispatchSkip, PlatformBackfill, PlatformConnect
from portal.kit.form_problems import checked, text_of

FIELDS = ("customer", "platform", "mode", "starts_at", "since", "reason", "form")


def connect_from(form: Mapping[str, Any]) -> PlatformConnect:
    """Which platform is to collect, and since when; raises ``FormProblems``."""
    problems: dict[str, str] = {}
    values = {
        "platform": text_of(form, "platform"),
        "mode": text_of(form, "mode") or "invoices",
        "starts_at": _midnight(form, "starts_at", problems),
    }
    return checked(PlatformConnect, values, problems, by_field)


def backfill_from(form: Mapping[str, Any]) -> PlatformBackfill:
    """Since when what is open is to be sent; raises ``FormProblems``."""
    problems: dict[str, str] = {}
    since = _midnight(form, "since", problems)
    if since is None and not problems:
        problems["since"] = "Choose the day."
    values = {"since": since or datetime.now(UTC)}
    return checked(PlatformBackfill, values, problems, by_field)


def skip_from(form: Mapping[str, Any]) -> DispatchSkip:
    """Why something is not to be sent; raises ``FormProblems``."""
    reason = text_of(form, "reason")
    problems = {} if reason else {"reason": "Say why: it stays with what is left out."}
    return checked(DispatchSkip, {"reason": reason or "-"}, problems, by_field)


def by_field(paths: list[tuple[str, str]]) -> dict[str, str]:
    """Problems by the fields of the forms."""
    problems: dict[str, str] = {}
    for path, detail in paths:
        name = path.partition(".")[0]
        problems.setdefault(name if name in FIELDS else "form", detail)
    return problems


def _midnight(form: Mapping[str, Any], name: str, problems: dict[str, str]) -> datetime | None:
    """The beginning of the day that was chosen, in UTC."""
    written = text_of(form, name)
    if not written:
        return None
    try:
        return datetime.combine(date.fromisoformat(written), time(), UTC)
    except ValueError:
        problems[name] = "Choose a day."
        return None
