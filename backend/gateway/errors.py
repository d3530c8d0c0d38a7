"""Errors in OpenAI's shape: ``{"error": {"message", "type", "param", "code"}}``."""

from __future__ import annotations

import math
from collections.abc import Mapping

import orjson
from starlette.responses import Response

from backend.errors import (
    FareboxError,
    Forbidden,
    NotFound,
    RateLimited,
    Unavailable,
)
from backend.quotas.errors import QuotaExhausted
from backend.wallets.errors import CreditExhausted
from backend_client.types.problems import FieldError

_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "insufficient_quota",
    403: "permission_error",
    404: "invalid_request_error",
    413: "invalid_request_error",
    422: "invalid_request_error",
    429: "rate_limit_error",
}
_CODES = {401: "invalid_api_key"}


class ModelNotFound(NotFound):
    """The model is not in the catalog, or the caller may not use it."""

    code, title = "model_not_found", "No such model"

    def __init__(self, detail: str) -> None:
        super().__init__(detail, errors=[FieldError(field="model", detail=detail)])


class ModelNotInPlan(Forbidden):
    """The model is on sale, but not on the tenant's plan: another plan helps."""

    code, title = "model_not_in_plan", "Not in the plan"

    def __init__(self, detail: str) -> None:
        super().__init__(detail, errors=[FieldError(field="model", detail=detail)])


class NoUsablePlan(Forbidden):
    """The tenant has no plan now, or its subscription is paused, so it can make no calls."""

    code, title = "no_usable_plan", "The tenant has no plan to make calls on"


class InvalidRequest(FareboxError):
    """The request can't be forwarded as it is; `param` names the parameter."""

    status, code, title = 400, "invalid_request", "The request is not valid"


class KeyLimited(RateLimited):
    """A limit of the key or the plan is used up for now; the headers have its state."""

    code, title = "rate_limit_exceeded", "A limit is used up for now"

    def __init__(
        self, detail: str, *, retry_after_seconds: float, headers: Mapping[str, str]
    ) -> None:
        super().__init__(detail, retry_after_seconds=math.ceil(retry_after_seconds))
        self.headers = dict(headers)


class RecordingUnavailable(Unavailable):
    """The call was not made, since its usage could not have been recorded."""

    code, title = "recording_unavailable", "Usage can't be recorded at present"


class UpstreamBusy(RateLimited):
    """The model provider limits how much is asked of it: try again later."""

    code, title = "upstream_busy", "The model provider is busy; try again later"


class UpstreamFailed(FareboxError):
    """The model provider failed, could not be reached, or answered what can't be read."""

    status, code, title = 502, "upstream_failed", "The model provider failed"


class UpstreamRefused(FareboxError):
    """The provider refused the request; the status, and the code if it gave one, are its own."""

    status, code, title = 400, "upstream_refused", "The model provider refused the request"

    def __init__(self, status: int, detail: str, code: str | None, parameter: str | None) -> None:
        named = [FieldError(field=parameter, detail=detail)] if parameter else []
        super().__init__(detail, errors=named)
        self.status = status
        self.code = code or self.code


def is_openai_route(path: str) -> bool:
    """Return whether OpenAI's clients call this path."""
    return path == "/v1/models" or path.startswith(("/v1/models/", "/v1/chat/"))


def error_body(error: FareboxError) -> bytes:
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
    if isinstance(error, QuotaExhausted):
        return error.code
    return _TYPES.get(error.status, "api_error")


def openai_error_response(error: FareboxError) -> Response:
    """Return an error as OpenAI would, with a header if a retry is useless."""
    headers = dict(error.headers) if isinstance(error, KeyLimited) else {}
    if isinstance(error, QuotaExhausted | CreditExhausted):
        headers["x-should-retry"] = "false"
    if isinstance(error, (RateLimited, Unavailable)):
        headers["retry-after"] = str(max(1, round(error.retry_after_seconds)))
    return Response(
        error_body(error),
        status_code=error.status,
        media_type="application/json",
        headers=headers,
    )
