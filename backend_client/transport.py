"""What both clients share: headers, timeouts, and when to try again."""

from __future__ import annotations

import random
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

import httpx

from backend_client.errors import Unavailable

TIMEOUT = httpx.Timeout(30.0, connect=5.0)
STREAM_TIMEOUT = httpx.Timeout(600.0, connect=5.0)
_PASSING = frozenset({429, 502, 503, 504})
_LONGEST_PAUSE = 10.0


@dataclass(frozen=True, slots=True)
class Retries:
    """How often to try again, and the seconds that the first pause lasts at most."""

    most: int = 2
    first_pause: float = 0.25

    def pause(self, attempt: int, response: httpx.Response | None) -> float | None:
        """Seconds to wait after ``attempt`` (from 0) failed; None to give up.

        The API's ``Retry-After`` rules, up to ten seconds; else full jitter on a doubling pause.
        """
        if attempt >= self.most:
            return None
        if response is not None:
            if response.status_code not in _PASSING:
                return None
            if response.headers.get("x-should-retry") == "false":
                return None
            asked = _retry_after(response)
            if asked is not None:
                return asked if asked <= _LONGEST_PAUSE else None
        return random.uniform(0, self.first_pause * 2**attempt)  # jitter: no secret hangs on it


RETRIES = Retries()


def _retry_after(response: httpx.Response) -> float | None:
    value = response.headers.get("retry-after")
    if value is None:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        moment = parsedate_to_datetime(value)
        now = parsedate_to_datetime(response.headers["date"])
    except (ValueError, KeyError):
        return None
    return max(0.0, (moment - now).total_seconds())


def headers(credential: str | None) -> dict[str, str]:
    """The headers that every request has."""
    common = {"accept": "application/json", "user-agent": "farebox-client/1"}
    return common | ({"authorization": f"Bearer {credential}"} if credential else {})


def unreachable(error: httpx.TransportError) -> Unavailable:
    """Say in a sentence that the API could not be reached."""
    if isinstance(error, httpx.TimeoutException):
        return Unavailable("The API did not answer in time.")
    return Unavailable("The API can't be reached.")
