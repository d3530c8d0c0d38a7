"""Models as the clients of each protocol list them."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Final

from backend_client.types.models import ModelInfo

_PRICES: Final = {
    "input_tokens": "prompt",
    "output_tokens": "completion",
    "cached_input_tokens": "input_cache_read",
    "cache_write_tokens": "input_cache_write",
    "reasoning_tokens": "internal_reasoning",
    "audio_input_tokens": "audio",
    "requests": "request",
    "images": "image",
}
"""Our meters by the names that OpenRouter gave their prices, which clients know."""


def openai_model(model: ModelInfo) -> dict[str, Any]:
    """Return a model as OpenAI's, with what OpenRouter's clients show of it.

    Prices are of the caller's plan, for one unit, as decimals without exponent.
    """
    described = {
        "id": model.id,
        "object": "model",
        "created": 0 if model.added_at is None else int(model.added_at.timestamp()),
        "owned_by": "farebox",
        "name": model.name,
        "description": model.description,
        "context_length": model.context_window,
        "context_window": model.context_window,
        "max_output_tokens": model.max_output_tokens,
    }
    if model.prices:
        described["pricing"] = {
            "currency": model.currency,
            **{
                _PRICES[price.meter]: _plain(price.price / price.unit_size)
                for price in model.prices
                if price.meter in _PRICES
            },
        }
    return described


def anthropic_model(model: ModelInfo) -> dict[str, Any]:
    """Return a model as Anthropic's."""
    return {
        "type": "model",
        "id": model.id,
        "display_name": model.name,
        "created_at": _UNKNOWN_TIME if model.added_at is None else model.added_at.isoformat(),
        "max_input_tokens": model.context_window,
        "max_tokens": model.max_output_tokens,
    }


def anthropic_models(models: Sequence[ModelInfo]) -> dict[str, Any]:
    """Return the models as Anthropic's only page."""
    return {
        "data": [anthropic_model(model) for model in models],
        "has_more": False,
        "first_id": models[0].id if models else None,
        "last_id": models[-1].id if models else None,
    }


_UNKNOWN_TIME: Final = "1970-01-01T00:00:00+00:00"
"""What Anthropic itself sends where it does not know."""


def _plain(price: Decimal) -> str:
    text = f"{price:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
