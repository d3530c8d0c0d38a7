"""Times as Stripe writes them: seconds since 1970. Pure."""

from __future__ import annotations

from datetime import UTC, datetime


def unix(at: datetime) -> int:
    """Return a time as Stripe reads it."""
    return int(at.timestamp())


def moment(unix: int) -> datetime:
    """Return Stripe's time."""
    return datetime.fromtimestamp(unix, UTC)
