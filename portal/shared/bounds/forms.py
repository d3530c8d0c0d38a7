"""What a form asks for as limits and a budget. Plain functions."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from backend_client.types.common import plain
from backend_client.types.limits import KeyBudget, ModelLimits, RateLimits
from portal.kit.form_problems import FormProblems, checked, text_of

FIELDS = ("requests", "tokens", "concurrent", "model_limits", "budget")
_PATHS = {
    "requests_per_minute": "requests",
    "tokens_per_minute": "tokens",
    "concurrent_requests": "concurrent",
    "amount": "budget",
}
_WORDS = {
    "requests": "requests_per_minute",
    "tokens": "tokens_per_minute",
    "at a time": "concurrent_requests",
}
_PART = re.compile(r"([0-9]+) *(requests?|tokens?|at a time)")
HINTS = {
    "requests": "A whole number from 1 up.",
    "tokens": "A whole number from 1 up.",
    "concurrent": "A whole number from 1 up.",
    "model_limits": "A line for each, such as sample-large: 10 requests, 5000 tokens, 2 at a time.",
    "budget": "An amount above zero, such as 20 or 0.50.",
}


@dataclass(frozen=True)
class BoundsEdit:
    """What the fields of limits and of a budget start with."""

    requests: str = ""
    tokens: str = ""
    concurrent: str = ""
    model_limits: str = ""
    budget: str = ""
    budget_period: str = "month"
    budget_limit: str = "hard"


def bounds_edit(
    limits: RateLimits, of_models: Sequence[ModelLimits], budget: KeyBudget | None
) -> BoundsEdit:
    """What the fields start with for what there is."""
    return BoundsEdit(
        requests=_written(limits.requests_per_minute),
        tokens=_written(limits.tokens_per_minute),
        concurrent=_written(limits.concurrent_requests),
        model_limits="\n".join(map(_line, of_models)),
        budget="" if budget is None else plain(budget.amount),
        budget_period="month" if budget is None else budget.period,
        budget_limit="hard" if budget is None else budget.limit,
    )


def field_of(path: str) -> str | None:
    """The field for a problem that names it by path; None if it is of no such field."""
    name = path.removeprefix("limits.").removeprefix("budget.")
    return "model_limits" if path.startswith("model_limits") else _PATHS.get(name)


def by_field(paths: list[tuple[str, str]]) -> dict[str, str]:
    """The fields for problems that name them by path."""
    named = [(field_of(path) or "form", detail) for path, detail in paths]
    return {name: HINTS.get(name, detail) for name, detail in reversed(named)}


def bounds_from_form(form: Mapping[str, Any]) -> dict[str, Any]:
    """The ``limits``, ``model_limits`` and ``budget`` that a form asks for.

    Raises:
        FormProblems: a field can't be used.
    """
    limits = {
        name: text_of(form, field) or None
        for name, field in (
            ("requests_per_minute", "requests"),
            ("tokens_per_minute", "tokens"),
            ("concurrent_requests", "concurrent"),
        )
    }
    return {
        "limits": checked(RateLimits, limits, {}, by_field),
        "model_limits": model_limits_of(text_of(form, "model_limits")),
        "budget": budget_from_form(form) if text_of(form, "budget") else None,
    }


def budget_from_form(form: Mapping[str, Any]) -> KeyBudget:
    """The budget that a form asks for.

    Raises:
        FormProblems: it can't be used.
    """
    budget = {
        "amount": text_of(form, "budget"),
        "period": text_of(form, "budget_period") or "month",
        "limit": text_of(form, "budget_limit") or "hard",
    }
    return checked(KeyBudget, budget, {}, by_field)


def model_limits_of(text: str) -> list[ModelLimits]:
    """The limits on models that lines ask for: ``large, small: 10 requests, 2 at a time``.

    Raises:
        FormProblems: a line can't be read.
    """
    return [_limits_of_line(line) for line in text.splitlines() if line.strip()]


def _limits_of_line(line: str) -> ModelLimits:
    names, _, rest = line.rpartition(":")
    values: dict[str, Any] = {"models": [name.strip() for name in names.split(",")]}
    for part in rest.split(","):
        written = _PART.fullmatch(part.strip())
        word = "" if written is None else written[2]
        name = _WORDS.get(word) or _WORDS.get(f"{word}s")
        if written is None or name is None or name in values:
            raise FormProblems({"model_limits": f"“{line.strip()}” {_UNREADABLE}"})
        values[name] = int(written[1])
    return checked(ModelLimits, values, {}, lambda _: {"model_limits": HINTS["model_limits"]})


_UNREADABLE = "is no limit: write sample-large: 10 requests, 5000 tokens, 2 at a time."


def _line(limits: ModelLimits) -> str:
    parts = [
        f"{limit} {word}"
        for word, name in _WORDS.items()
        if (limit := getattr(limits, name)) is not None
    ]
    return f"{', '.join(limits.models)}: {', '.join(parts)}"


def _written(limit: int | None) -> str:
    return "" if limit is None else str(limit)
