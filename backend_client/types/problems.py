"""Problem details (RFC 9457): how the API says what went wrong."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from backend_client.types.common import Answer


class FieldError(Answer):
    """One field that can't be used. ``field`` is a path such as ``charges.0.price``."""

    field: str
    detail: str


class Problem(Answer):
    """An error answer, sent as ``application/problem+json``."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str | None = None
    instance: str | None = None
    code: str = Field("internal_error", description="A stable word that programs can act on")
    request_id: str | None = None
    errors: list[FieldError] = []


class OpenAIError(Answer):
    """What went wrong, in OpenAI's words."""

    message: str
    type: str
    param: str | None
    code: str | None


class OpenAIProblem(Answer):
    """An error answer on OpenAI's routes."""

    error: OpenAIError


class AnthropicError(Answer):
    """What Anthropic's clients read of an error; ``code`` is Farebox's own."""

    type: str
    message: str
    code: str


class AnthropicProblem(Answer):
    """An error answer on Anthropic's routes."""

    type: Literal["error"] = "error"
    error: AnthropicError
