"""The errors that callers get for a provider's failures, and which messages are passed on."""

from __future__ import annotations

from typing import Final

import httpx
import orjson
import structlog

from backend.errors import FareboxError
from backend.gateway.call import Call
from backend.gateway.errors import UpstreamBusy, UpstreamFailed, UpstreamRefused

_log = structlog.get_logger(__name__)

# These concern the caller's request. Others concern the operator: a wrong key, a wrong name of a
# model, an unpaid bill.
_PASSED_ON: Final = frozenset({400, 413, 415, 422})
_LONGEST_RETRY_SECONDS: Final = 600.0


def unreachable(call: Call, error: httpx.HTTPError) -> FareboxError:
    """Return the error for a provider that could not be reached or did not answer in time."""
    _log.warning(
        "gateway.upstream_unreachable", upstream=call.provider.upstream.name, error=repr(error)
    )
    if isinstance(error, httpx.TimeoutException):
        return UpstreamFailed("The model provider did not answer in time.")
    return UpstreamFailed("The model provider could not be reached.")


def refusal(call: Call, response: httpx.Response) -> FareboxError:
    """Return the error for a provider's answer, already read, that is not 200."""
    code, message, parameter = _read(response.content)
    _log.warning(
        "gateway.upstream_refused",
        upstream=call.provider.upstream.name,
        status=response.status_code,
        code=code,
    )
    if response.status_code == 429 and code != "insufficient_quota":
        return UpstreamBusy(
            "The model provider is busy; try again later.",
            retry_after_seconds=_retry_after(response),
        )
    if response.status_code in _PASSED_ON:
        return UpstreamRefused(
            response.status_code,
            message or "The model provider refused the request.",
            code,
            parameter,
        )
    return UpstreamFailed(f"The model provider failed ({response.status_code}).")


def stream_error(call: Call, error: object) -> FareboxError:
    """Return the error for an error within a stream."""
    code = error.get("code") if isinstance(error, dict) else None
    _log.warning(
        "gateway.stream_error",
        upstream=call.provider.upstream.name,
        code=code if isinstance(code, str | int) else None,
    )
    return UpstreamFailed("The model provider failed in the middle of its answer.")


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


def _retry_after(response: httpx.Response) -> float:
    """Return the seconds that the provider asks to wait; 1 if it states none."""
    for header, unit in (("retry-after-ms", 1000), ("retry-after", 1)):
        try:
            seconds = float(response.headers[header]) / unit
        except (KeyError, ValueError):
            continue
        if 0 <= seconds <= _LONGEST_RETRY_SECONDS:
            return seconds
    return 1.0
