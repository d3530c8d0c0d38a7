"""Why a plan's quota does not let a call through."""

from __future__ import annotations

from backend.errors import FareboxError


class QuotaExhausted(FareboxError):
    """A hard quota of the plan has not enough left: trying again does not help."""

    # Not of the kind ``RateLimited``: there is nothing to wait for
    status, code, title = 429, "insufficient_quota", "The quota is used up"
