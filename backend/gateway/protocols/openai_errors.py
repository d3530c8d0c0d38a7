"""Errors in OpenAI's shape: ``{"error": {"message", "type", "param", "code"}}``."""

from __future__ import annotations

from typing import Final

import orjson

from backend.errors import BudgetExhausted, FareboxError
from backend.quotas.errors import QuotaExhausted

_TYPES: Final = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "insufficient_quota",
    403: "permission_error",
    404: "invalid_request_error",
    413: "invalid_request_error",
    422: "invalid_request_error",
    429: "rate_limit_error",
}
_CODES: Final = {401: "invalid_api_key"}


def openai_error(error: FareboxError) -> bytes:
    """Return the error as OpenAI's JSON."""
    return orjson.dumps(
        {
            "error": {
                "message": error.detail,
                "type": _type(error),
                "param": error.errors[0].field if error.errors else None,
                "code": _CODES.get(error.status, error.code),
            }
        }
    )


def _type(error: FareboxError) -> str:
    if isinstance(error, QuotaExhausted | BudgetExhausted):
        return QuotaExhausted.code
    return _TYPES.get(error.status, "api_error")
