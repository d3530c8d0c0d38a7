"""What both clients share: headers, timeouts, and when to try again."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from backend_client.errors import Unavailable, UnexpectedAnswer

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
        # By the server's clock, not this machine's
        return max(0.0, (_moment(value) - _moment(response.headers["date"])).total_seconds())
    except (ValueError, KeyError):
        return None


def _moment(date: str) -> datetime:
    moment = parsedate_to_datetime(date)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def headers(credential: str | None) -> httpx.Headers:
    """The headers that every request has."""
    # Bytes, so that a credential that can't be one is refused by the API and not by the encoder.
    common = [(b"accept", b"application/json"), (b"user-agent", b"farebox-client/1")]
    own = [(b"authorization", f"Bearer {credential}".encode())] if credential else []
    return httpx.Headers([*common, *own])


def unreachable(error: httpx.RequestError) -> Unavailable:
    """Say in a sentence that the API could not be reached."""
    if isinstance(error, httpx.TimeoutException):
        return Unavailable("The API did not answer in time.")
    return Unavailable("The API can't be reached.")


DONE = "[DONE]"
"""What ends a stream."""


def event_data(line: str) -> str | None:
    """Return what a line of a stream carries; None for a line that carries nothing."""
    return line.removeprefix("data:").strip() if line.startswith("data:") else None


def chunk_of(data: str) -> dict[str, Any]:
    """Read a chunk of a stream; raise ``Unavailable`` if it tells that the call failed."""
    try:
        chunk = json.loads(data)
    except ValueError as error:
        raise UnexpectedAnswer("The stream holds something that is no chunk.") from error
    if not isinstance(chunk, dict):
        raise UnexpectedAnswer("The stream holds something that is no chunk.")
    if isinstance(chunk.get("error"), dict):
        raise Unavailable(str(chunk["error"].get("message")))
    return chunk
