"""What can go wrong, as the API tells it: one exception for each kind of problem."""

from __future__ import annotations

import httpx
from pydantic import ValidationError

from backend_client.types.problems import FieldError, Problem


class ClientError(Exception):
    """Root of all that the client raises. Its text is a sentence for a person."""


class ApiError(ClientError):
    """The API answered with a problem. ``problem.code`` is for programs to act on."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.detail or problem.title)
        self.problem = problem

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self.problem.status

    @property
    def errors(self) -> list[FieldError]:
        """The fields that can't be used, and why."""
        return self.problem.errors


class BadRequest(ApiError):
    """400: the request could not be read."""


class Unauthenticated(ApiError):
    """401: no credential, or one that is unknown, expired or revoked."""


class PaymentRequired(ApiError):
    """402: there is no credit left."""


class Forbidden(ApiError):
    """403: the credential is good, but does not allow this."""


class NotFound(ApiError):
    """404: there is no such thing for this credential."""


class Conflict(ApiError):
    """409: the state of things forbids it."""


class TooLarge(ApiError):
    """413: the body or batch is over its limit."""


class InvalidInput(ApiError):
    """422: what was sent can't be used; ``errors`` names the fields."""


class RateLimited(ApiError):
    """429: too many requests, or a quota that is used up."""


class Unavailable(ClientError):
    """The API, or something it needs, can't be reached or failed; try again later.

    ``problem`` is what the API said, None if it said nothing.
    """

    def __init__(self, detail: str, problem: Problem | None = None) -> None:
        super().__init__(detail)
        self.problem = problem


class UnexpectedAnswer(ClientError):
    """What answered is no API of this version: another server, or a proxy's page."""


_BY_STATUS: dict[int, type[ApiError]] = {
    400: BadRequest,
    401: Unauthenticated,
    402: PaymentRequired,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    413: TooLarge,
    422: InvalidInput,
    429: RateLimited,
}


def error_of(response: httpx.Response) -> ClientError:
    """Make the exception for an error answer whose body was read, in either of its shapes."""
    problem = _problem(response)
    if response.status_code >= 500:
        return Unavailable(problem.detail or problem.title, problem)
    return _BY_STATUS.get(response.status_code, ApiError)(problem)


def _problem(response: httpx.Response) -> Problem:
    request_id = response.headers.get("x-request-id")
    try:
        document = response.json()
        if isinstance(document, dict) and isinstance(document.get("error"), dict):
            error = document["error"]  # OpenAI's shape
            return Problem(
                title="The call failed",
                status=response.status_code,
                detail=str(error.get("message")),
                code=str(error.get("code") or error.get("type")),
                request_id=request_id,
            )
        return Problem.model_validate(document)
    except (ValueError, ValidationError):
        return Problem(
            title=f"The API answered {response.status_code} {response.reason_phrase}",
            status=response.status_code,
            request_id=request_id,
        )
