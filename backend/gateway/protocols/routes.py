"""Which routes belong to which protocol, so that errors are told in its shape."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

from backend.errors import BudgetExhausted, FareboxError, RateLimited, Unavailable
from backend.gateway.errors import KeyLimited, UpstreamFailed
from backend.gateway.protocols.anthropic_errors import anthropic_error
from backend.gateway.protocols.openai_errors import openai_error
from backend.quotas.errors import QuotaExhausted
from backend.wallets.errors import CreditExhausted

Shape = Literal["openai", "anthropic"]

ROUTES: Final[Mapping[Shape, tuple[str, ...]]] = {
    "openai": (
        "GET /v1/models",
        "GET /v1/models/{model}",
        "POST /v1/chat/completions",
        "POST /v1/completions",
        "POST /v1/embeddings",
        "POST /v1/responses",
        "POST /v1/images/generations",
        "POST /v1/images/edits",
        "POST /v1/audio/speech",
        "POST /v1/audio/transcriptions",
        "POST /v1/audio/translations",
        "POST /v1/moderations",
        "POST /v1/rerank",
    ),
    "anthropic": (
        "GET /v1/models",
        "GET /v1/models/{model}",
        "POST /v1/messages",
        "POST /v1/messages/count_tokens",
    ),
}
"""What there is, for a caller who asks for what is not."""

_MODELS: Final = "models"
_ANTHROPIC: Final = frozenset({"messages", "complete", "skills"})
_OPENAI: Final = frozenset(
    {
        *("assistants", "audio", "batches", "chat", "chatkit", "completions", "containers"),
        *("edits", "embeddings", "engines", "evals", "files", "fine_tuning", "fine-tunes"),
        *("images", "moderations", "organization", "realtime", "rerank", "responses"),
        *("threads", "uploads", "vector_stores", "videos"),
    }
)
"""First words of OpenAI's own paths, and of what others added to its protocol; none is a route of
Farebox's own API."""


def shape_of(path: str, headers: Mapping[str, str] | None = None) -> Shape | None:
    """Return whose clients call this path; None for Farebox's own API.

    Models are listed for both: who sends a version of Anthropic's API is its client.
    """
    start, _, rest = path.partition("/v1/")
    word = rest.partition("/")[0]
    if start:
        return None
    if word == _MODELS:
        return "anthropic" if headers and "anthropic-version" in headers else "openai"
    if word in _ANTHROPIC:
        return "anthropic"
    return "openai" if word in _OPENAI else None


def error_body(shape: Shape, error: FareboxError) -> bytes:
    """Return an error's body as the route's clients expect it."""
    return anthropic_error(error) if shape == "anthropic" else openai_error(error)


def no_such_route(shape: Shape, method: str, path: str) -> str:
    """Return a sentence that says what there is instead of a route that does not exist."""
    shown = path if len(path) <= _SHOWN else path[:_SHOWN] + "…"
    return f"There is no {method} {shown} here. There are {', '.join(ROUTES[shape])}."


_SHOWN: Final = 100


def error_headers(error: FareboxError) -> dict[str, str]:
    """Return the headers of an error's answer: the limits' state, and when a retry is useful."""
    headers = dict(error.headers) if isinstance(error, KeyLimited) else {}
    if isinstance(error, QuotaExhausted | BudgetExhausted | CreditExhausted):
        headers["x-should-retry"] = "false"
    if isinstance(error, UpstreamFailed):
        if not error.may_pass:
            headers["x-should-retry"] = "false"
        elif error.retry_after_seconds is not None:
            headers["retry-after"] = str(max(1, round(error.retry_after_seconds)))
    if isinstance(error, (RateLimited, Unavailable)):
        headers["retry-after"] = str(max(1, round(error.retry_after_seconds)))
    return headers
