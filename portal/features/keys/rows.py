"""Keys as the list shows them. Plain functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from backend_client.types.accounts import ApiKey, Application, Scope
from backend_client.types.limits import KeyBudgetUse
from backend_client.types.web_origins import ANY_PAGE
from portal.kit.formatting import ago, date, second
from portal.shared.bounds.forms import bounds_edit
from portal.shared.bounds.words import all_limits_text, budget_part, budget_text

SCOPES = {
    Scope.INFERENCE: "Call models",
    Scope.USAGE_READ: "Read usage and spend",
    Scope.EVENTS_WRITE: "Send usage events",
}
_OPEN = {"active", "disabled"}


@dataclass(frozen=True)
class KeyRow:
    """A key as the list shows it. There is no secret in it: the API has none to give.

    ``owner`` says whose it is: its application's, or who made it. ``budget_part`` is in percent of
    the budget, 100 at most; ``grace`` says until when earlier secrets work, and is empty if none
    does.
    """

    id: str
    name: str
    shown: str
    application: str
    scopes: str
    models: str
    created: str
    last_used: str
    status: str
    is_open: bool
    owner: str = ""
    service_account: bool = False
    expires: str = ""
    limits: str = ""
    sources: str = ""
    budget: str = ""
    budget_part: int = 0
    budget_over: bool = False
    grace: str = ""


@dataclass(frozen=True)
class KeyEdit:
    """What the form of a key starts with: of a new one, or of one that is there."""

    id: str = ""
    name: str = ""
    application: str = ""
    scopes: list[str] = field(default_factory=lambda: [Scope.INFERENCE.value])
    models: list[str] = field(default_factory=list)
    expires: str = ""
    requests: str = ""
    tokens: str = ""
    concurrent: str = ""
    model_limits: str = ""
    budget: str = ""
    budget_period: str = "month"
    budget_limit: str = "hard"
    addresses: str = ""
    origins: str = ""
    service_account: bool = False


def key_rows(
    keys: Sequence[ApiKey],
    applications: Sequence[Application],
    now: datetime,
    time_zone: str,
    uses: Mapping[str, KeyBudgetUse] | None = None,
    members: Mapping[str, str] | None = None,
) -> list[KeyRow]:
    """The keys as the list shows them: usable ones first, then the newest.

    ``members`` are the names of the people here, by their ids.
    """
    names = {application.id: application.name for application in applications}
    rows = [
        _row(key, names, now, time_zone, (uses or {}).get(key.id), members or {})
        for key in sorted(keys, key=lambda key: key.created_at, reverse=True)
    ]
    return sorted(rows, key=lambda row: ("active", "disabled", row.status).index(row.status))


def _row(
    key: ApiKey,
    applications: Mapping[str, str],
    now: datetime,
    time_zone: str,
    use: KeyBudgetUse | None,
    members: Mapping[str, str],
) -> KeyRow:
    status = key_status(key, now)
    return KeyRow(
        id=key.id,
        name=key.name,
        shown=f"{key.prefix}…{key.last_four}",
        application=applications.get(key.application_id, key.application_id),
        scopes=", ".join(SCOPES.get(scope, scope) for scope in key.scopes),
        models=", ".join(key.models) if key.models else "All models",
        created=date(key.created_at, time_zone),
        last_used=ago(key.last_used_at, now) if key.last_used_at else "Never",
        status=status,
        is_open=status in _OPEN,
        owner="Service account" if key.service_account else members.get(key.created_by or "", ""),
        service_account=key.service_account,
        expires="" if key.expires_at is None else date(key.expires_at, time_zone),
        limits=all_limits_text(key.limits, key.model_limits),
        sources=sources_text(key),
        budget="" if use is None else budget_text(use),
        budget_part=0 if use is None else budget_part(use),
        budget_over=use is not None and use.remaining == 0,
        grace=grace_text(key, now, time_zone) if status in _OPEN else "",
    )


def key_status(key: ApiKey, now: datetime) -> str:
    """``active``, ``disabled``, ``revoked`` or ``expired``."""
    if key.revoked_at is not None:
        return "revoked"
    if key.expires_at is not None and key.expires_at <= now:
        return "expired"
    return "active" if key.disabled_at is None else "disabled"


def sources_text(key: ApiKey) -> str:
    """Where a key is taken from, in short; empty if from any address and from no web page."""
    parts = [f"From {', '.join(key.addresses)}"] if key.addresses else []
    if key.origins:
        pages = "any" if ANY_PAGE in key.origins else ", ".join(key.origins)
        parts.append(f"Web pages: {pages}")
    return " · ".join(parts)


def grace_text(key: ApiKey, now: datetime, time_zone: str) -> str:
    """Until when earlier secrets of a key work: ``… for 3 h 20 min more``; empty if none does."""
    if key.previous_until is None or key.previous_until <= now:
        return ""
    which = "The old secret works" if key.previous_count <= 1 else "Old secrets work"
    until = second(key.previous_until, time_zone)
    return f"{which} for {time_left(key.previous_until - now)} more, until {until}"


def time_left(left: timedelta) -> str:
    """A time in its two largest units: ``2 d 3 h``, ``3 h 20 min``, ``5 min``."""
    minutes = max(1, -(-int(left.total_seconds()) // 60))
    days, rest = divmod(minutes, 24 * 60)
    hours, minutes = divmod(rest, 60)
    parts = [(days, "d"), (hours, "h"), (minutes, "min")]
    while not parts[0][0]:
        parts = parts[1:]
    return " ".join(f"{number} {unit}" for number, unit in parts[:2] if number)


def key_edit(key: ApiKey, time_zone: str) -> KeyEdit:
    """What the form of a key starts with."""
    return KeyEdit(
        id=key.id,
        name=key.name,
        application=key.application_id,
        scopes=[scope.value for scope in key.scopes],
        models=list(key.models or []),
        expires="" if key.expires_at is None else date(key.expires_at, time_zone),
        **vars(bounds_edit(key.limits, key.model_limits, key.budget)),
        addresses=", ".join(key.addresses or []),
        origins=", ".join(key.origins or []),
        service_account=key.service_account,
    )
