"""The most that a call can use, computed before it is made and enforced by the provider."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import orjson

from backend.metering.tokens.counts import TokenCount
from backend.quotas.reservations import CallUnits
from backend_client.types.catalog import CatalogModel

_OUTPUT_LIMITS: Final = ("max_completion_tokens", "max_tokens", "n_predict")
"""Parameters that limit an answer's length: OpenAI's names, and llama.cpp's own."""
_FORMAT_TOKENS: Final = 64
"""What a provider's template may add to a prompt beyond what was counted."""


def most_units(
    model: CatalogModel, request: Mapping[str, Any], counted: TokenCount | None
) -> CallUnits:
    """Return the most that a call can use.

    ``counted`` is the prompt by a local tokenizer; a tenth and a little more is added. Without it,
    or if it is not exact, the bytes are counted: every token has at least one. Pictures and sound
    that no rule counts can fill the model's window.
    """
    if counted is not None and counted.exact:
        prompt = counted.total + counted.total // 10 + _FORMAT_TOKENS
    elif _is_text(request):
        said = orjson.dumps([request["messages"], request.get("tools")])
        prompt = len(said) + _FORMAT_TOKENS
    else:
        prompt = model.context_window
    window = model.context_window
    each = min(_output_limit(request) or model.max_output_tokens, window)
    return CallUnits(min(prompt, window), each * (request.get("n") or 1))


def limit_output(model: CatalogModel, request: Mapping[str, Any]) -> dict[str, Any]:
    """Return the request with a limit of its answer, which the provider enforces."""
    kept = {
        name: value
        for name, value in request.items()
        if name not in _OUTPUT_LIMITS or _is_limit(value)
    }
    if _output_limit(kept) is None:
        kept["max_completion_tokens"] = model.max_output_tokens
    return kept


def _output_limit(request: Mapping[str, Any]) -> int | None:
    given = [request[name] for name in _OUTPUT_LIMITS if _is_limit(request.get(name))]
    return max(given) if given else None


def _is_limit(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _is_text(request: Mapping[str, Any]) -> bool:
    contents = [message.get("content") for message in request["messages"]]
    parts = [part for content in contents if isinstance(content, list) for part in content]
    return all(isinstance(part, dict) and part.get("type") == "text" for part in parts)
