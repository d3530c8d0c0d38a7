"""When to try again. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from backend.kit.backoff import pause_after

GIVE_UP_AFTER: Final = timedelta(days=3)
"""How long a delivery is tried, from when it was queued."""

_FIRST: Final = timedelta(seconds=10)
_FACTOR: Final = 3.0
_LONGEST: Final = timedelta(hours=8)
_LONGEST_ASKED: Final = timedelta(days=1)


def delivery_pause(attempts: int, chance: float) -> timedelta:
    """Return how long to wait after ``attempts`` tries (1 or more) have failed.

    10 s, tripled each time, up to 8 h; and up to a fifth less or more by ``chance`` (0 to 1), so
    that deliveries that failed together are not retried together.
    """
    seconds = pause_after(
        attempts,
        first=_FIRST.total_seconds(),
        longest=_LONGEST.total_seconds(),
        factor=_FACTOR,
        chance=chance,
    )
    return timedelta(seconds=seconds)


def next_attempt(
    attempts: int,
    now: datetime,
    give_up_at: datetime,
    chance: float,
    asked: timedelta | None = None,
) -> datetime | None:
    """Return when to try again after ``attempts`` tries; None if it is time to give up.

    A longer pause that the receiver ``asked`` for is kept, up to a day.
    """
    pause = delivery_pause(attempts, chance)
    if asked is not None:
        pause = max(pause, min(asked, _LONGEST_ASKED))
    after = now + pause
    return None if after > give_up_at else after
