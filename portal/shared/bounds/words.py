"""Limits and budgets as pages show them. Plain functions."""

from __future__ import annotations

from collections.abc import Sequence

from backend_client.types.limits import KeyBudgetUse, ModelLimits, RateLimits
from portal.kit.formatting import compact, count, fine_money


def limits_text(limits: RateLimits) -> str:
    """Limits in short; empty without any."""
    parts = (
        (limits.requests_per_minute, "requests/min"),
        (limits.tokens_per_minute, "tokens/min"),
        (limits.concurrent_requests, "at a time"),
    )
    return ", ".join(f"{count(limit)} {what}" for limit, what in parts if limit is not None)


def all_limits_text(limits: RateLimits, of_models: Sequence[ModelLimits]) -> str:
    """Limits of all calls and those on models, in short; empty without any."""
    parts = [limits_text(limits)]
    parts += [f"{', '.join(each.models)}: {limits_text(each.limits)}" for each in of_models]
    return " · ".join(part for part in parts if part)


def limit_terms(limits: RateLimits, of_models: Sequence[ModelLimits]) -> list[str]:
    """A plan's limits as terms of it, a line each: of all calls, and of those of some models."""
    terms = _rate_terms(limits, "")
    for each in of_models:
        terms += _rate_terms(each.limits, f" of {' and '.join(each.models)}")
    return terms


def _rate_terms(limits: RateLimits, of: str) -> list[str]:
    rates = (
        (limits.requests_per_minute, f"requests{of} a minute"),
        (limits.tokens_per_minute, f"tokens{of} a minute"),
        (limits.concurrent_requests, f"requests{of} at a time"),
    )
    return [f"Up to {compact(most)} {what}" for most, what in rates if most is not None]


def budget_text(use: KeyBudgetUse) -> str:
    """What is used of a budget: ``$1.25 of $20.00 this month``."""
    used, amount = (fine_money(value, use.currency) for value in (use.used, use.budget.amount))
    when = "today" if use.budget.period == "day" else "this month"
    soft = "" if use.budget.limit == "hard" else " (soft)"
    return f"{used} of {amount} {when}{soft}"


def budget_part(use: KeyBudgetUse) -> int:
    """How much of a budget is used, in percent; 100 at most."""
    return min(100, int(use.used * 100 / use.budget.amount))
