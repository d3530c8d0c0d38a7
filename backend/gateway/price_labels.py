"""Labels by which the gateway itself tells calls of other prices apart. Pure.

A provider asks another price for a tier of service, and for prompts beyond some length. A plan
prices both by charges with these labels; calls at the usual price have neither.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from backend_client.types.catalog import CatalogModel

TIER: Final = "service_tier"
CONTEXT: Final = "context"
LONG: Final = "long"
PRICE_LABELS: Final = frozenset({TIER, CONTEXT})

_AUTO: Final = "auto"
_USUAL: Final = frozenset({"default", "on_demand", "standard", "standard_only"})
"""What OpenAI, Groq and Anthropic call the tier of the usual price."""
TIERS: Final = ("batch", "flex", "priority", "scale")
"""The others of theirs, which ``auto`` may come to."""
_LONGEST: Final = 40


def tier_of(*, used: object, asked: object) -> str | None:
    """Return the tier that a call is priced by, None for the usual.

    What the provider says that it used goes before what it was asked for.
    """
    for tier in (used, asked):
        if _is_tier(tier) and tier != _AUTO:
            return None if tier in _USUAL else str(tier)
    return None


def price_labels(
    model: CatalogModel, *, used_tier: object, asked_tier: object, prompt_tokens: int
) -> dict[str, str]:
    """Return the labels of a call that has ended."""
    tier = tier_of(used=used_tier, asked=asked_tier)
    labels = {} if tier is None else {TIER: tier}
    return labels | ({CONTEXT: LONG} if _is_long(model, prompt_tokens) else {})


def possible_labels(
    model: CatalogModel, *, asked_tiers: Iterable[object], prompt_tokens: int
) -> list[dict[str, str]]:
    """Return the labels that a call can come to have, of which the dearest is to be held.

    ``asked_tiers`` are those that upstreams may be asked for, ``prompt_tokens`` the most.
    """
    tiers: set[str | None] = {None}
    for asked in asked_tiers:
        tiers |= set(TIERS) if asked == _AUTO else {tier_of(used=None, asked=asked)}
    contexts = [{}, {CONTEXT: LONG}] if _is_long(model, prompt_tokens) else [{}]
    return [
        ({} if tier is None else {TIER: tier}) | context
        for tier in sorted(tiers, key=str)
        for context in contexts
    ]


def _is_tier(value: object) -> bool:
    return (
        isinstance(value, str)
        and 0 < len(value) <= _LONGEST
        and value.isascii()
        and value.isprintable()
    )


def _is_long(model: CatalogModel, prompt_tokens: int) -> bool:
    threshold = model.long_context_tokens
    return threshold is not None and prompt_tokens > threshold
