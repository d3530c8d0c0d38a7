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

    message: str = Field(description="What is wrong with the request, in a sentence.")
    type: str = Field(
        description="The kind of error in OpenAI's words, such as `invalid_request_error`."
    )
    param: str | None = Field(
        description="Which member of the request can't be used; null if it is none of them."
    )
    code: str | None = Field(
        description="A stable word that programs can act on, such as `model_not_found`; null "
        "if there is none."
    )


class OpenAIProblem(Answer):
    """An error answer on OpenAI's routes."""

    error: OpenAIError = Field(description="What went wrong.")


class AnthropicError(Answer):
    """What Anthropic's clients read of an error; ``code`` is Farebox's own."""

    type: str = Field(
        description="The kind of error in Anthropic's words, such as `rate_limit_error`."
    )
    message: str = Field(description="What is wrong with the request, in a sentence.")
    code: str = Field(description="A stable word of Farebox's own that programs can act on.")


class AnthropicProblem(Answer):
    """An error answer on Anthropic's routes."""

    type: Literal["error"] = Field("error", description="Says that the answer is an error.")
    error: AnthropicError = Field(description="What went wrong.")
