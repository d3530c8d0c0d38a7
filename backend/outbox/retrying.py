"""When to try again. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

GIVE_UP_AFTER: Final = timedelta(days=3)
"""For how long a delivery is tried, from when it was queued."""

_FIRST: Final = timedelta(seconds=10)
_FACTOR: Final = 3.0
_LONGEST: Final = timedelta(hours=8)
_SPREAD: Final = 0.2
_LONGEST_ASKED: Final = timedelta(days=1)


def pause_after(attempts: int, chance: float) -> timedelta:
    """Return how long to wait after ``attempts`` tries (1 or more) have failed.

    10 s, tripled each time, up to 8 h; and up to a fifth less or more as ``chance``, from 0 to 1,
    has it, so that what failed together does not come back together.
    """
    # 3 to the 10th is past the longest: no need for the numbers beyond
    pause = min(_FIRST * _FACTOR ** min(attempts - 1, 10), _LONGEST)
    return pause * (1 - _SPREAD + 2 * _SPREAD * chance)


def next_attempt(
    attempts: int,
    now: datetime,
    give_up_at: datetime,
    chance: float,
    asked: timedelta | None = None,
) -> datetime | None:
    """Return when to try again after ``attempts`` tries; None if it is time to give up.

    A receiver that asks to be left alone for longer is, up to a day.
    """
    pause = pause_after(attempts, chance)
    if asked is not None:
        pause = max(pause, min(asked, _LONGEST_ASKED))
    after = now + pause
    return None if after > give_up_at else after
