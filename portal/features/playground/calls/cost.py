"""What a call costs, before it is made and after: the bill comes from what was metered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from backend_client.types.models import ModelInfo
from portal.kit.formatting import count, fine_money


@dataclass(frozen=True)
class Draft:
    """A question that is being written: its tokens by a model, with all that goes with it."""

    model: ModelInfo
    tokens: int
    exact: bool


def quantities(usage: Mapping[str, Any]) -> dict[str, int]:
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


def estimate(model: ModelInfo, units: Mapping[str, int]) -> Decimal | None:
    """The price of ``units`` by meter at the plan's (first tier's) prices.

    None when the plan prices none of them. Included units are not taken into account: what a
    call costs at the margin is what a developer compares models by.
    """
    prices = {price.meter: price for price in model.prices}
    priced = [
        (price, quantity)
        for meter, quantity in units.items()
        if (price := prices.get(meter)) is not None
    ]
    if not priced:
        return None
    return sum((price.price * quantity / price.unit_size for price, quantity in priced), Decimal(0))


def currency(model: ModelInfo) -> str:
    """The currency of a model's prices; dollars for one without any."""
    return model.prices[0].currency if model.prices else "USD"


def draft_line(drafts: Sequence[Draft], max_tokens: int) -> str:
    """Say what a question takes before it is asked: its tokens, its cost, the most it can be."""
    if not drafts:
        return ""
    numbers = sorted({draft.tokens for draft in drafts})
    tokens = count(numbers[0])
    if len(numbers) > 1:
        tokens += f"–{count(numbers[-1])}"
    about = "" if all(draft.exact for draft in drafts) else "about "
    line = f"{about}{tokens} input tokens"
    asked = [
        estimate(draft.model, {"requests": 1, "input_tokens": draft.tokens}) for draft in drafts
    ]
    most = [
        estimate(
            draft.model,
            {
                "requests": 1,
                "input_tokens": draft.tokens,
                "output_tokens": min(max_tokens, draft.model.max_output_tokens),
            },
        )
        for draft in drafts
    ]
    if any(cost is None for cost in (*asked, *most)):
        return line
    money = currency(drafts[0].model)
    asking = fine_money(sum((cost for cost in asked if cost), Decimal(0)), money)
    at_most = fine_money(sum((cost for cost in most if cost), Decimal(0)), money)
    return f"{line} · {asking} to ask · {at_most} at most with the answer"
