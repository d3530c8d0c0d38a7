"""The log of calls: how each call through the gateway went."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Literal, TypeAlias, TypedDict

from pydantic import Field

from backend_client.types.common import Answer, Exact, Instant, Wire

RequestOutcome: TypeAlias = Literal["completed", "failed", "aborted", "refused"]
"""``failed`` at the provider, ``aborted`` by its caller, ``refused`` here before it was made."""


class LoggedRequest(Answer):
    """A call as the log has it. ``upstream`` is null where the seller does not show it."""

    id: str
    time: Instant = Field(description="When it began; of a refused one, when it was refused")
    outcome: RequestOutcome
    status: int = Field(description="Of the answer; 499 where the caller left before its end")
    protocol: str = Field(description="Such as `chat` or `messages`")
    streamed: bool
    model: str
    application: str | None
    key: str | None
    upstream: str | None = None
    attempts: int = Field(description="How many requests to providers it took")
    duration_ms: int
    first_token_ms: int | None = Field(description="Of a stream")
    error_code: str | None = Field(description="Why it failed or was refused")
    error_detail: str | None = Field(
        description="The same in a sentence: which limit, which member"
    )
    event_id: str | None = Field(description="The event that bills it; none of a refused one")
    request_id: str | None = Field(description="The answer's header `x-request-id`")
    answer_id: str | None = Field(description="The provider's id of its answer")
    quantities: dict[str, Exact]
    labels: dict[str, str]
    cost: Exact | None = Field(
        None, description="What it adds to the bill, unrounded; null to who may not see spend"
    )
    currency: str | None = None


class RequestBodies(Answer):
    """What was asked and answered, as far as it is kept; of a stream, the text that was said."""

    request: str = Field(description="What was asked, as JSON.")
    answer: str = Field(description="What was answered; of a stream, the text that was said.")
    shortened: bool = Field(description="Whether the end of one is left out")
    redacted: bool = Field(description="Whether addresses, card numbers and keys were left out")
    expires_at: Instant


class LoggedRequestDetails(LoggedRequest):
    """A call with its bodies, where its application keeps them and the caller may read them."""

    bodies: RequestBodies | None = None


class BodyLogging(Wire):
    """Whether the log keeps the bodies of an application's calls, and for how long."""

    enabled: bool = Field(description="Whether bodies are kept from now on.")
    days: int = Field(7, ge=1, le=90, description="No longer than the log itself")
    redacted: bool = Field(
        True, description="Whether e-mail addresses, card numbers and keys are left out"
    )


class RequestFilter(TypedDict, total=False):
    """Which calls to list: all that are given must hold. ``end`` is exclusive."""

    start: datetime | None
    end: datetime | None
    outcome: list[RequestOutcome]
    status: list[int]
    code: list[str]
    model: list[str]
    key: list[str]
    application: list[str]
    upstream: list[str]
    min_duration_ms: int | None
    request_id: str | None
    event_id: str | None
    label: Mapping[str, str]
