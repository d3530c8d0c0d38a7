"""The exceptions of the client: one tree, with ``ClientError`` as its root."""

from __future__ import annotations

import httpx
from pydantic import ValidationError

from backend_client.types.problems import FieldError, Problem


class ClientError(Exception):
    """Root of all that the client raises. Its text is a sentence for a person.

    ``response`` is what answered, None if nothing did; ``problem`` is what the API said is wrong,
    None if the answer is not one of the API's.
    """

    def __init__(
        self,
        detail: str,
        *,
        response: httpx.Response | None = None,
        problem: Problem | None = None,
    ) -> None:
        super().__init__(detail)
        self.response = response
        self.problem = problem

    @property
    def status(self) -> int | None:
        """The HTTP status; None if nothing answered."""
        return None if self.response is None else self.response.status_code

    @property
    def code(self) -> str | None:
        """The stable word for the cause, for programs to act on: ``invalid_input``."""
        return None if self.problem is None else self.problem.code

    @property
    def request_id(self) -> str | None:
        """What finds the request in the API's log."""
        if self.problem is not None and self.problem.request_id is not None:
            return self.problem.request_id
        return None if self.response is None else self.response.headers.get("x-request-id")

    @property
    def body(self) -> bytes:
        """The answer's body as it came; empty if nothing answered, or if it is a stream."""
        if self.response is None:
            return b""
        try:
            return self.response.content
        except httpx.ResponseNotRead:
            return b""

    @property
    def errors(self) -> list[FieldError]:
        """The fields that can't be used, and why."""
        return [] if self.problem is None else self.problem.errors


class ApiError(ClientError):
    """The API refused the request, for the reason that ``problem`` says."""

    problem: Problem

    def __init__(self, problem: Problem, response: httpx.Response | None = None) -> None:
        super().__init__(problem.detail or problem.title, response=response, problem=problem)

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self.problem.status if self.response is None else self.response.status_code

    @property
    def code(self) -> str:
        """The stable word for the cause, for programs to act on: ``invalid_input``."""
        return self.problem.code


class BadRequest(ApiError):
    """400: the request could not be read."""


class Unauthenticated(ApiError):
    """401: no credential, or one that is unknown, expired or revoked."""


class PaymentRequired(ApiError):
    """402: there is no credit left, or an invoice is overdue and calls are suspended for it."""


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
    """The API, or something it needs, can't be reached or failed: try again later."""


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
        return Unavailable(problem.detail or problem.title, response=response, problem=problem)
    return _BY_STATUS.get(response.status_code, ApiError)(problem, response)


def unreachable(error: httpx.RequestError) -> Unavailable:
    """Make the exception for a request that nothing answered."""
    if isinstance(error, httpx.TimeoutException):
        return Unavailable("The API did not answer in time.")
    return Unavailable("The API can't be reached.")


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
