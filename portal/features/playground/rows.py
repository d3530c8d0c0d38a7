"""Models, messages and token counts of the playground. Plain functions."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from backend_client.types.models import ModelInfo
from portal.kit.formatting import meter_name, unit_price


@dataclass(frozen=True)
class Message:
    """A message of the conversation; ``note`` is what an answer took."""

    role: str
    text: str
    note: str = ""
    streaming: bool = False


@dataclass(frozen=True)
class ModelChoice:
    """A model to pick, with what it costs here."""

    id: str
    name: str
    about: str
    longest: int


def within(chosen: float, low: float, high: float, *, otherwise: float) -> float:
    """A number that somebody chose, no lower or higher than may be; ``otherwise`` for no number.

    It comes from a browser, so it may be anything.
    """
    try:
        number = float(chosen)
    except (TypeError, ValueError):
        return otherwise
    return otherwise if math.isnan(number) else min(high, max(low, number))


def quantities(usage: dict[str, Any]) -> dict[str, int]:
    """OpenAI's usage as Farebox's meters, which are disjoint."""
    cached = (usage.get("prompt_tokens_details") or {}).get("cached_tokens") or 0
    reasoning = (usage.get("completion_tokens_details") or {}).get("reasoning_tokens") or 0
    return {
        "requests": 1,
        "input_tokens": usage.get("prompt_tokens", 0) - cached,
        "cached_input_tokens": cached,
        "output_tokens": usage.get("completion_tokens", 0) - reasoning,
        "reasoning_tokens": reasoning,
    }


def about(model: ModelInfo) -> str:
    """What a model costs on the caller's plan, in a line."""
    if model.prices and not any(price.price for price in model.prices):
        return "Free on your plan."
    shown = {price.meter: price for price in model.prices if price.price}
    for meter, wider in (
        ("cached_input_tokens", "input_tokens"),
        ("reasoning_tokens", "output_tokens"),
    ):
        # Said only where it differs
        if (own := shown.get(meter)) and (wide := shown.get(wider)) and own.price == wide.price:
            del shown[meter]
    prices = [
        f"{meter_name(price.meter)} {unit_price(price.price, price.unit_size, price.currency)}"
        for price in shown.values()
    ]
    return " · ".join(prices) if prices else "Your plan has no price for this model."
