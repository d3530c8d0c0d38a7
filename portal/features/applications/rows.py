"""Applications as the list shows them, and what their form asks for. Plain functions."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from backend_client.types.accounts import (
    ApiKey,
    Application,
    ApplicationChange,
    ApplicationCreate,
)
from backend_client.types.limits import KeyBudgetUse, LabelBudget, LabelBudgetCreate, LimitUse
from backend_client.types.usage import Granularity, UsageDimension, UsageQuery, UsageReport
from portal import routes
from portal.kit.form_problems import checked, text_of
from portal.kit.formatting import TOKEN_METERS, compact, count, date, fine_money, second
from portal.shared.bounds import forms as bounds
from portal.shared.bounds import words

FIELDS = ("name", *bounds.FIELDS, "label", "value", "form")
DAYS = 30
"""Of usage beside each application."""


@dataclass(frozen=True)
class ApplicationRow:
    """An application as the list shows it; ``keys_text`` counts those that still work."""

    id: str = ""
    name: str = ""
    created: str = ""
    archived: str = ""
    keys_text: str = ""
    requests: str = ""
    tokens: str = ""
    its_keys: str = ""
    its_usage: str = ""
    limits: str = ""
    budget: str = ""
    budget_part: int = 0
    budget_over: bool = False


@dataclass(frozen=True)
class UseRow:
    """How much of a limit is used and left at the moment."""

    name: str
    text: str
    part: int


@dataclass(frozen=True)
class LabelBudgetRow:
    """The budget of a label's value, and what is used of it."""

    id: str = ""
    name: str = ""
    used: str = ""
    remaining: str = ""
    resets: str = ""
    part: int = 0
    over: bool = False


def usage_query(now: datetime) -> UsageQuery:
    """What the API is asked for the usage beside the applications."""
    end = now.replace(minute=now.minute - now.minute % 15, second=0, microsecond=0)
    end += timedelta(minutes=15)
    return {
        "start": end - timedelta(days=DAYS),
        "end": end,
        "granularity": Granularity.TOTAL,
        "group_by": (UsageDimension.APPLICATION,),
        "meter": ("requests", *TOKEN_METERS),
    }


def application_rows(
    applications: Sequence[Application],
    keys: Sequence[ApiKey],
    usage: UsageReport | None,
    now: datetime,
    time_zone: str,
    budgets: Mapping[str, KeyBudgetUse] | None = None,
) -> list[ApplicationRow]:
    """The applications as the list shows them: those in use first."""
    working = Counter(
        key.application_id
        for key in keys
        if key.revoked_at is None and (key.expires_at is None or key.expires_at > now)
    )
    used: defaultdict[tuple[str | None, bool], Decimal] = defaultdict(Decimal)
    for row in () if usage is None else usage.rows:
        used[row.application, row.meter == "requests"] += row.quantity
    rows = [
        ApplicationRow(
            id=application.id,
            name=application.name,
            created=date(application.created_at, time_zone),
            archived=""
            if application.archived_at is None
            else date(application.archived_at, time_zone),
            keys_text=_number_of_keys(working[application.id]),
            requests=compact(used[application.id, True]),
            tokens=compact(used[application.id, False]),
            its_keys=f"{routes.KEYS}/?{urlencode({'application': application.id})}",
            its_usage=f"{routes.USAGE}/?"
            + urlencode({"range": "month", "application": application.id}),
            limits=words.all_limits_text(application.limits, application.model_limits),
            **_budget((budgets or {}).get(application.id)),
        )
        for application in applications
    ]
    return sorted(rows, key=lambda row: row.archived != "")


def application_from_form(form: Mapping[str, Any]) -> ApplicationCreate:
    """The application that the form asks for.

    Raises:
        FormProblems: its name can't be used.
    """
    return checked(ApplicationCreate, {"name": text_of(form, "name")}, {}, by_field)


def name_from_form(form: Mapping[str, Any]) -> ApplicationChange:
    """The new name that the form gives an application.

    Raises:
        FormProblems: it can't be used.
    """
    return checked(ApplicationChange, {"name": text_of(form, "name")}, {}, by_field)


def change_of_bounds(form: Mapping[str, Any]) -> ApplicationChange:
    """The limits and the budget that the form gives an application.

    Raises:
        FormProblems: a field can't be used.
    """
    return ApplicationChange(**bounds.bounds_from_form(form))


def label_budget_from_form(form: Mapping[str, Any]) -> LabelBudgetCreate:
    """The budget of a label's value that the form asks for.

    Raises:
        FormProblems: a field can't be used.
    """
    values = {"label": text_of(form, "label"), "value": text_of(form, "value")}
    return checked(
        LabelBudgetCreate, {**values, "budget": bounds.budget_from_form(form)}, {}, by_field
    )


def use_rows(uses: Sequence[LimitUse]) -> list[UseRow]:
    """The limits of an application with what is used and left of each."""
    return [
        UseRow(
            name=_LIMITS[use.limit] + (f" of {', '.join(use.models)}" if use.models else ""),
            text=f"{count(use.most - use.remaining)} used, {count(use.remaining)} left "
            f"of {count(use.most)}",
            part=min(100, (use.most - use.remaining) * 100 // use.most),
        )
        for use in uses
    ]


def label_budget_row(budget: LabelBudget, use: KeyBudgetUse, time_zone: str) -> LabelBudgetRow:
    """The budget of a label's value as the list shows it."""
    return LabelBudgetRow(
        id=budget.id,
        name=f"{budget.label} = {budget.value}",
        used=words.budget_text(use),
        remaining=fine_money(use.remaining, use.currency),
        resets=second(use.resets_at, time_zone),
        part=words.budget_part(use),
        over=use.remaining == 0,
    )


_LIMITS = {
    "requests_per_minute": "Requests a minute",
    "tokens_per_minute": "Tokens a minute",
    "concurrent_requests": "Requests at a time",
}


def _budget(use: KeyBudgetUse | None) -> dict[str, Any]:
    if use is None:
        return {}
    return {
        "budget": words.budget_text(use),
        "budget_part": words.budget_part(use),
        "budget_over": use.remaining == 0,
    }


def by_field(paths: list[tuple[str, str]]) -> dict[str, str]:
    """The form's fields for problems that name them by path."""
    problems: dict[str, str] = {}
    for path, detail in paths:
        if path == "name":
            problems["name"] = "Give it a name of up to 100 letters."
        elif path in {"label", "value"}:
            problems[path] = "Choose a declared label." if path == "label" else "Name a value."
        elif (field := bounds.field_of(path)) is not None:
            problems[field] = bounds.HINTS[field]
        else:
            problems.setdefault("form", detail)
    return problems


def _number_of_keys(number: int) -> str:
    if not number:
        return "None"
    return "1 key" if number == 1 else f"{number} keys"
