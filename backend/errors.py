"""The errors that a room raises and the edges translate.

Rooms raise these; ``backend.api`` answers them as problem details (RFC 9457) and
``backend.gateway`` in OpenAI's shape. A room never names an HTTP framework.
"""

from __future__ import annotations

from backend_client.types.problems import FieldError


class FareboxError(Exception):
    """Root of every error that a user of Farebox can act on.

    ``detail`` is a sentence for a person; it must hold no secret. ``errors`` names the fields.
    """

    status: int = 500
    code: str = "internal_error"
    title: str = "Something went wrong"

    def __init__(self, detail: str, *, errors: list[FieldError] | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.errors = errors or []


class InvalidInput(FareboxError):
    """What was sent can't be used; ``errors`` says which field and why."""

    status, code, title = 422, "invalid_input", "The input is not valid"


class MalformedRequest(FareboxError):
    """The body could not be parsed at all."""

    status, code, title = 400, "malformed_request", "The request could not be read"


class Unauthenticated(FareboxError):
    """No credential, or one that is unknown, expired or revoked."""

    status, code, title = 401, "unauthenticated", "Sign-in needed"


class Forbidden(FareboxError):
    """The credential is good but its role or scopes don't allow this."""

    status, code, title = 403, "forbidden", "Not allowed"


class NotFound(FareboxError):
    """There is no such thing, or it belongs to another tenant (the answer is the same)."""

    status, code, title = 404, "not_found", "Not found"


class Conflict(FareboxError):
    """The state of things forbids it: a duplicate name, a stale edit, a reused idempotency key."""

    status, code, title = 409, "conflict", "Conflict"


class TooLarge(FareboxError):
    """The body or the batch is over its limit."""

    status, code, title = 413, "too_large", "The request is too large"


class UnsupportedMedia(FareboxError):
    """The body is of a kind or an encoding that this route does not read."""

    status, code, title = 415, "unsupported_media_type", "The body is of another kind"


class RateLimited(FareboxError):
    """Too many requests; try again after ``retry_after_seconds``."""

    status, code, title = 429, "rate_limited", "Too many requests"

    def __init__(self, detail: str, *, retry_after_seconds: float) -> None:
        super().__init__(detail)
        self.retry_after_seconds = retry_after_seconds


class Unavailable(FareboxError):
    """An engine that is needed can't be reached; nothing was changed."""

    status, code, title = 503, "unavailable", "Temporarily unavailable"

    def __init__(self, detail: str, *, retry_after_seconds: float = 1.0) -> None:
        super().__init__(detail)
        self.retry_after_seconds = retry_after_seconds


class TaxNotKnown(Unavailable):
    """The tax service is away, or what it answered can't be right; nothing was issued."""

    code, title = "tax_not_known", "The tax is not known"


class UpstreamFailed(FareboxError):
    """The model provider failed or could not be reached."""

    status, code, title = 502, "upstream_failed", "The model provider failed"


class ConfigurationError(FareboxError):
    """A setting or a file of the operator's is wrong; ``detail`` says which and what to do."""

    code, title = "configuration", "The configuration is not usable"
