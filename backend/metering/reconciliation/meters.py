"""How a provider's meters stand to the metered ones. Pure.

Some providers report written cache tokens, or the whole prompt, where Farebox's meters divide it
otherwise: what was metered together is compared together.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from datetime import date
from decimal import Decimal
from typing import Final

INPUT: Final = "input_tokens"
CACHED: Final = "cached_input_tokens"
CACHE_WRITE: Final = "cache_write_tokens"
CACHE_WRITE_1H: Final = "cache_write_1h_tokens"
OUTPUT: Final = "output_tokens"
REQUESTS: Final = "requests"
WEB_SEARCHES: Final = "web_search_requests"

PROMPT: Final = "prompt_tokens"
"""All of a prompt's tokens, however they are priced, where an export does not divide them."""
PROMPT_PARTS: Final = frozenset({INPUT, CACHED, CACHE_WRITE, CACHE_WRITE_1H, "audio_input_tokens"})

CREDITS: Final = "credits"
NOT_USAGE: Final = frozenset({CREDITS, "tax", "purchase", "adjustment"})
"""Meters of amounts that no usage is behind."""

_PART_OF: Final = {CACHE_WRITE_1H: CACHE_WRITE, CACHE_WRITE: INPUT}

Place = tuple[date, str, str]
"""Day, the catalog's name of the model, meter."""


def metered_as(place: Place, metered: Container[Place]) -> Place:
    """Return where a provider's usage is metered: written cache tokens may count as input."""
    day, model, meter = place
    while meter in _PART_OF and (day, model, meter) not in metered:
        meter = _PART_OF[meter]
    return day, model, meter


def whole_prompts(metered: Mapping[Place, Decimal]) -> dict[Place, Decimal]:
    """Return all of the prompts' tokens of each day and model."""
    sums: dict[Place, Decimal] = {}
    for (day, model, meter), quantity in metered.items():
        if meter in PROMPT_PARTS:
            place = (day, model, PROMPT)
            sums[place] = sums.get(place, Decimal(0)) + quantity
    return sums
