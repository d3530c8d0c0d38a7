"""Errors in Anthropic's shape: ``{"type": "error", "error": {"type", "message"}}``.

https://docs.claude.com/en/api/errors
"""

from __future__ import annotations

from typing import Any, Final

import orjson

from backend.errors import FareboxError

_TYPES: Final = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    422: "invalid_request_error",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
}


def anthropic_error(error: FareboxError) -> bytes:
    """Return the error as Anthropic's JSON; ``code`` and ``param`` are members beside its own."""
    return orjson.dumps(_document(error))


def anthropic_error_event(error: FareboxError) -> bytes:
    """Return the error as the last event of a stream."""
    return b"event: error\ndata: " + orjson.dumps(_document(error)) + b"\n\n"


def _document(error: FareboxError) -> dict[str, Any]:
    kind = _TYPES.get(error.status, "api_error")
    document = {"type": kind, "message": error.detail, "code": error.code}
    if error.errors:
        document["param"] = error.errors[0].field
    return {"type": "error", "error": document}
