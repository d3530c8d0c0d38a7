"""The kinds of error, which the edges translate.

A kind, such as ``Conflict``, has a status and is never raised itself. A cause is a subclass of a
kind in the ``errors.py`` of the room that raises it, with a code that programs can act on:
``InvoiceAlreadyPaid``, ``invoice_already_paid``. Codes are stable, and no two causes share one.
A cause's docstring is what ``docs/errors.md`` says of it.

``backend.api`` answers causes as problem details (RFC 9457), and ``backend.gateway`` in OpenAI's
shape. A room never names an HTTP framework.
"""

from __future__ import annotations

from typing import Self

from backend_client.types.problems import FieldError


class FareboxError(Exception):
    """Root of every error that a user of Farebox can act on.

    ``title`` says what is the same each time, ``detail`` what happened this time: a sentence for a
    person, which must hold no secret; it is the title's unless given. ``errors`` names the fields.
    """

    status: int
    code: str
    title: str

    def __init__(
        self, detail: str | None = None, *, errors: list[FieldError] | None = None
    ) -> None:
        self.detail = f"{self.title}." if detail is None else detail
        self.errors = errors or []
        super().__init__(self.detail)


class MalformedRequest(FareboxError):
    """The body could not be parsed at all."""

    status, code, title = 400, "malformed_request", "The request could not be read"


class Unauthenticated(FareboxError):
    """No credential, or one that is no good."""

    status = 401


class PaymentRequired(FareboxError):
    """Money is missing: credit, or a payment that is overdue."""

    status = 402


class Forbidden(FareboxError):
    """The credential is good but it, or its tenant's plan, doesn't allow this."""

    status = 403


class NotFound(FareboxError):
    """There is no such thing, or it belongs to another tenant (the answer is the same)."""

    status = 404


class Conflict(FareboxError):
    """The state of things forbids it: a duplicate name, a stale edit, a reused idempotency key."""

    status = 409


class TooLarge(FareboxError):
    """The body or the batch is over its limit."""

    status = 413


class UnsupportedMedia(FareboxError):
    """The body is of a kind or an encoding that this route does not read."""

    status = 415


class InvalidInput(FareboxError):
    """A field can't be used; `errors` says which one and why."""

    status, code, title = 422, "invalid_input", "The input is not valid"

    @classmethod
    def of_field(cls, field: str, detail: str) -> Self:
        """Make the error of a single field; ``detail`` goes on after its name."""
        return cls(f"'{field}' {detail}.", errors=[FieldError(field=field, detail=detail)])


class RateLimited(FareboxError):
    """Too many requests; try again after ``retry_after_seconds``."""

    status = 429

    def __init__(self, detail: str | None = None, *, retry_after_seconds: float = 1.0) -> None:
        super().__init__(detail)
        self.retry_after_seconds = retry_after_seconds


class BudgetExhausted(FareboxError):
    """A budget has not enough left for a call: there is nothing to wait for, but more money."""

    status = 429


class Unavailable(FareboxError):
    """An engine that is needed can't be reached; nothing was changed."""

    status = 503

    def __init__(self, detail: str | None = None, *, retry_after_seconds: float = 1.0) -> None:
        super().__init__(detail)
        self.retry_after_seconds = retry_after_seconds


class ConfigurationError(FareboxError):
    """A setting or a file of the operator's is wrong; `detail` says which and what to do."""

    status, code, title = 500, "configuration_error", "The configuration is not usable"


class CommandError(FareboxError):
    """What a command can't do, told to whoever ran it; the API never answers with it."""

    status, code, title = 500, "command_failed", "The command failed"
