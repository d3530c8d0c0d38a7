"""How long a server asks to wait before it is asked again."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

_MOST_SECONDS = 1e9


def asked_wait(retry_after: str | None, now: datetime) -> timedelta | None:
    """Read a ``Retry-After`` (RFC 9110, 10.2.3), in seconds or as a date; None if it says neither.

    Parts of a second are read too, since some servers send them. A date of the past is a wait
    below zero.
    """
    if retry_after is None:
        return None
    seconds = non_negative(retry_after)
    if seconds is not None:
        return timedelta(seconds=min(seconds, _MOST_SECONDS))
    try:
        date = parsedate_to_datetime(retry_after)
    except (ValueError, OverflowError):
        return None
    return (date if date.tzinfo else date.replace(tzinfo=UTC)) - now


def non_negative(text: str | None) -> float | None:
    """Return a number of seconds, or another unit, that is 0 or more; None if there is none."""
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if math.isfinite(number) and number >= 0 else None
