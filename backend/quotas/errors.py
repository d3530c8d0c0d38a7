"""Why a plan's quota does not let a call through."""

from __future__ import annotations

from backend.errors import FareboxError, NotFound


class QuotaExhausted(FareboxError):
    """A hard quota of the plan has not enough left: trying again does not help."""

    # Not of the kind ``RateLimited``: there is nothing to wait for
    status, code, title = 429, "insufficient_quota", "The quota is used up"


class KeyBudgetExhausted(FareboxError):
    """The API key's own budget has not enough left for the call: a larger budget helps."""

    status, code, title = 429, "key_budget_exhausted", "The key's budget is used up"


class KeyWithoutBudget(NotFound):
    """The API key has no budget, so there is none to show."""

    code, title = "key_without_budget", "This key has no budget"
