"""How patient a client is: how long it waits for an answer, and how often it tries again."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

import httpx

_TRANSIENT = frozenset({429, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class Retries:
    """When to send a request again that may be repeated.

    ``most`` is how often, after the first try. The pause before the first retry is up to
    ``first_pause`` seconds, and up to twice that before each next one. What the API asks for with
    ``Retry-After`` goes before, unless it is over ``longest_pause`` seconds: then the error is
    raised, and the wait is the caller's.
    """

    most: int = 2
    first_pause: float = 0.25
    longest_pause: float = 10.0

    def pause(self, attempt: int, response: httpx.Response | None) -> float | None:
        """Seconds to wait after ``attempt`` (from 0) failed; None to give up.

        ``response`` is None if nothing answered.
        """
        if attempt >= self.most:
            return None
        if response is not None:
            if response.status_code not in _TRANSIENT:
                return None
            if response.headers.get("x-should-retry") == "false":
                return None
            requested = _retry_after(response)
            if requested is not None:
                return requested if requested <= self.longest_pause else None
        return random.uniform(0, self.first_pause * 2**attempt)  # jitter: no secret hangs on it


@dataclass(frozen=True, slots=True)
class Profile:
    """The timeouts and retries of a client. Timeouts are of one try, in seconds.

    ``stream_timeout`` is the one of streamed chat, where the model may think for long before the
    first chunk and between two.
    """

    timeout: httpx.Timeout = field(default_factory=lambda: httpx.Timeout(30.0, connect=5.0))
    stream_timeout: httpx.Timeout = field(default_factory=lambda: httpx.Timeout(600.0, connect=5.0))
    retries: Retries = Retries()


PATIENT: Final = Profile()
"""For programs: 30 seconds a try, two retries."""

INTERACTIVE: Final = Profile(
    timeout=httpx.Timeout(8.0, connect=3.0),
    stream_timeout=httpx.Timeout(600.0, connect=3.0),
    retries=Retries(most=1, longest_pause=2.0),
)
"""For a person who waits: 8 seconds a try (3 to connect), one retry, no pause over 2 seconds."""


def _retry_after(response: httpx.Response) -> float | None:
    value = response.headers.get("retry-after")
    if value is None:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        # By the server's clock, not this machine's
        return max(0.0, (_parse(value) - _parse(response.headers["date"])).total_seconds())
    except (ValueError, KeyError):
        return None


def _parse(date: str) -> datetime:
    moment = parsedate_to_datetime(date)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
