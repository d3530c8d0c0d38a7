"""Providers' list prices, in US dollars, as the package ``genai-prices`` ships them.

Where a price depends on the length of a request, it is that of a short one, but in the tier
``long_context``. A batch costs half of it with Anthropic and OpenAI; inference in the US alone a
tenth more with Anthropic:

https://platform.claude.com/docs/en/about-claude/pricing
https://developers.openai.com/api/docs/pricing
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from decimal import Decimal
from functools import lru_cache
from typing import Final

from genai_prices import Usage, calc_price

_SHORT: Final = 1_000
"""Units that a list price is computed for: few, so that no price of long requests applies."""
_LONG: Final = 1_000_000
"""Tokens of a prompt that is long with every provider."""
_USED: Final[Mapping[str, tuple[str, ...]]] = {
    "input_tokens": ("input_tokens",),
    "cached_input_tokens": ("input_tokens", "cache_read_tokens"),
    "cache_write_tokens": ("input_tokens", "cache_write_tokens"),
    "cache_write_1h_tokens": ("input_tokens", "cache_write_tokens", "cache_write_1h_tokens"),
    "output_tokens": ("output_tokens",),
    "reasoning_tokens": ("output_tokens",),
    "web_search_requests": ("web_searches",),
}
"""Which counts of a request are a unit of the meter."""
_SHARES: Final = {"batch": Decimal("0.5"), "us": Decimal("1.1")}
_LONG_CONTEXT: Final = "long_context"


@lru_cache(maxsize=10_000)
def list_price(
    provider: str | None, model: str, meter: str, day: date, tier: str = ""
) -> Decimal | None:
    """Return what a unit of a meter costs on a day; None if no list price is known.

    ``tier`` joins by ``+`` what applies: ``batch``, ``long_context``, ``us``.
    """
    tiers = set(tier.split("+")) - {""}
    if meter not in _USED or not tiers <= {_LONG_CONTEXT, *_SHARES}:
        return None
    at = datetime.combine(day, time(12), UTC)
    # The package may not have the operator's name of the provider; then the model's name decides.
    for provider_id in (provider, None) if provider else (None,):
        try:
            price = _price(provider_id, model, meter, at, is_long=_LONG_CONTEXT in tiers)
        except LookupError:
            continue
        for name in tiers - {_LONG_CONTEXT}:
            price *= _SHARES[name]
        # Nothing is searched for nothing: the package has no price
        return None if meter == "web_search_requests" and not price else price
    return None


def _price(
    provider_id: str | None, model: str, meter: str, at: datetime, *, is_long: bool
) -> Decimal:
    """Return a unit's price; raises ``LookupError``."""

    def cost(**counts: int) -> Decimal:
        usage = Usage(**counts)
        return calc_price(
            usage, model, provider_id=provider_id, genai_request_timestamp=at
        ).total_price

    used = _USED[meter]
    if not is_long:
        return cost(**dict.fromkeys(used, _SHORT)) / _SHORT
    if "input_tokens" in used:
        return cost(**dict.fromkeys(used, _LONG)) / _LONG
    # Beside a long prompt, whose cost is subtracted
    return (cost(input_tokens=_LONG, **dict.fromkeys(used, _SHORT)) - cost(input_tokens=_LONG)) / (
        _SHORT
    )
