"""The errors that callers get for a provider's failures, and which messages are passed on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal

import httpx
import orjson
import structlog

from backend.errors import FareboxError
from backend.gateway.call import Call
from backend.gateway.connections.pool import Answer
from backend.gateway.errors import UpstreamBusy, UpstreamFailed, UpstreamRefused
from backend.gateway.protocols.parts.base import Failure
from backend.kit.retry_after import asked_wait, non_negative

_log = structlog.get_logger(__name__)

# These concern the caller's request. Others concern the operator: a wrong key, a wrong name of a
# model, an unpaid bill.
_PASSED_ON: Final = frozenset({400, 413, 415, 422})
_OF_THE_KEY: Final = frozenset({401, 402, 403})
_ABSENT: Final = frozenset({404, 405, 410})
_PASSING: Final = frozenset({408, 409, 425, 429})
"""Beside those of 500 and above: what may go well at another time."""
_NO_MONEY: Final = frozenset({"insufficient_quota", "billing_hard_limit_reached"})
_UNPAID: Final = "credit balance is too low"
"""Anthropic says so with a status of 400; OpenAI a hard limit of its bill."""
_NO_SUCH_INPUT: Final = " input is not supported"
"""llama.cpp's server says so of pictures and sound with a status of 500, and a hint for who runs it
after a hyphen. Another call goes well there: the caller's request is what has to change.
"""
_LONGEST_RETRY_SECONDS: Final = 600.0
_USUAL_RETRY_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class Refusal:
    """What a status that is no success means.

    ``concerns`` is what has to change before a call goes well: the ``caller``'s request, the
    operator's ``key``, a ``limit`` of the key, the ``route``, which is not there for what this call
    asks, or the ``target``. ``retry_after`` is the provider's
    advice in seconds.
    """

    error: FareboxError
    concerns: Literal["caller", "key", "limit", "route", "target"]
    retry_after: float | None = None


def unreachable(call: Call, error: httpx.HTTPError) -> FareboxError:
    """Return the error for a provider that could not be reached."""
    _log.warning(
        "gateway.upstream_unreachable", upstream=call.provider.upstream.name, error=repr(error)
    )
    if isinstance(error, httpx.TimeoutException):
        return UpstreamFailed("The model provider did not answer in time.")
    return UpstreamFailed("The model provider could not be reached.")


def timed_out(call: Call) -> FareboxError:
    """Return the error for a provider that took too long."""
    _log.warning("gateway.upstream_timed_out", upstream=call.provider.upstream.name)
    return UpstreamFailed("The model provider did not answer in time.")


def refusal(call: Call, response: Answer, content: bytes) -> Refusal:
    """Return what an answer that is no success means; ``content`` is its body."""
    status = response.status_code
    code, message, parameter = _read(content)
    _log.warning(
        "gateway.upstream_refused", upstream=call.provider.upstream.name, status=status, code=code
    )
    if status == 500 and message and _NO_SUCH_INPUT in message:
        reason, _, _ = message.partition(" - ")
        status, message = 400, f"The model provider refused the request: {reason}."
    of_the_key = status in _OF_THE_KEY or code in _NO_MONEY or _UNPAID in (message or "")
    if status in _PASSED_ON and not of_the_key:
        message = message or "The model provider refused the request."
        return Refusal(UpstreamRefused(status, message, code, parameter), "caller")
    retry_after = retry_seconds(response.headers, datetime.now(UTC))
    if status == 429 and code not in _NO_MONEY:
        busy = UpstreamBusy(
            "The model provider is busy; try again later.",
            retry_after_seconds=_USUAL_RETRY_SECONDS if retry_after is None else retry_after,
        )
        return Refusal(busy, "limit", retry_after)
    may_pass = not of_the_key and (status in _PASSING or status >= 500)
    error = UpstreamFailed(
        f"The model provider failed ({status}).",
        retry_after_seconds=retry_after,
        may_pass=may_pass,
    )
    if of_the_key:
        return Refusal(error, "key", retry_after)
    # A protocol or an earlier answer that the upstream does not have for one customer is no reason
    # to keep everybody else from the model
    return Refusal(error, "route" if status in _ABSENT else "target", retry_after)


def failed(call: Call, failure: Failure) -> FareboxError:
    """Return the error for an answer that was an error, or could not be read."""
    _log.warning("gateway.upstream_error", upstream=call.provider.upstream.name, code=failure.code)
    return UpstreamFailed(failure.detail)


def retry_seconds(headers: Mapping[str, str], now: datetime) -> float | None:
    """Return how many seconds an answer asks to wait, at most ten minutes; None if it does not say.

    ``retry-after`` is a number of seconds or a date (RFC 9110, 10.2.3); ``retry-after-ms`` is what
    OpenAI's clients read before it.
    """
    milliseconds = non_negative(headers.get("retry-after-ms"))
    if milliseconds is not None:
        seconds = milliseconds / 1000
    else:
        wait = asked_wait(headers.get("retry-after"), now)
        if wait is None:
            return None
        seconds = wait.total_seconds()
    return min(max(seconds, 0.0), _LONGEST_RETRY_SECONDS)


def _read(body: bytes) -> tuple[str | None, str | None, str | None]:
    """Return code, message and parameter of an error in OpenAI's shape, None if missing."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None, None, None
    error = document.get("error") if isinstance(document, dict) else None
    if not isinstance(error, dict):
        return None, None, None
    code, message, parameter = (
        value if isinstance(value := error.get(name), str) else None
        for name in ("code", "message", "param")
    )
    return code, message, parameter
