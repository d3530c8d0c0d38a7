"""Tokens of a picture, by the rules that OpenAI publishes.

Source, with the examples that the tests repeat ("Model sizing behavior", "Calculating costs"):
https://developers.openai.com/api/docs/guides/images-vision#calculating-costs
Two rules. Tiles: fit in 2048 x 2048, bring the shorter side to 768, count squares of 512, add a
base; low detail costs the base alone. Patches: count squares of 32, shrink to the model's budget
of patches, multiply. The page does not say how the product is rounded; to the nearest fits the
counts that the API reports.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from backend.metering.tokens.counts import Message, images_of
from backend.metering.tokens.image_size import image_size


@dataclass(frozen=True, slots=True)
class TileRule:
    """``base`` tokens, and ``tile`` for each square of 512 pixels."""

    base: int
    tile: int
    short_side: int = 768

    def tokens(self, width: int, height: int, detail: str) -> int:
        """Return the tokens of a picture of that size in pixels."""
        if detail == "low":
            return self.base
        fit = min(1.0, 2048 / max(width, height))
        fit *= min(1.0, self.short_side / (min(width, height) * fit))
        across, down = round(width * fit, 6), round(height * fit, 6)
        return self.base + self.tile * math.ceil(across / 512) * math.ceil(down / 512)

    def most(self, detail: str) -> int:
        """Return the most tokens of any picture: 2048 by 768 after scaling."""
        return self.tokens(2048, 768, detail)


@dataclass(frozen=True, slots=True)
class Budget:
    """Limits that a picture is shrunk to: patches of 32 pixels, and pixels on the longer side."""

    patches: int
    longest: int


@dataclass(frozen=True, slots=True)
class PatchRule:
    """``multiplier`` tokens for each square of 32 pixels, within the budget of its detail."""

    multiplier: Decimal = Decimal(1)
    high: Budget = Budget(1536, 2048)
    original: Budget | None = None
    auto_is_original: bool = False

    def tokens(self, width: int, height: int, detail: str) -> int:
        """Return the tokens of a picture of that size in pixels."""
        if detail == "low":  # the model gets a version that fits in 512 by 512
            fit = min(1.0, 512 / max(width, height))
            width, height = max(1, int(width * fit)), max(1, int(height * fit))
        return self._multiplied(_patches(width, height, self._budget(detail)))

    def most(self, detail: str) -> int:
        """Return the most tokens of any picture."""
        return self._multiplied(256 if detail == "low" else self._budget(detail).patches)

    def _budget(self, detail: str) -> Budget:
        wants_original = detail == "original" or (detail == "auto" and self.auto_is_original)
        return self.original if wants_original and self.original is not None else self.high

    def _multiplied(self, patches: int) -> int:
        return int((self.multiplier * patches).to_integral_value(ROUND_HALF_UP))


Rule = TileRule | PatchRule


def _patches(width: int, height: int, budget: Budget) -> int:
    fit = min(1.0, budget.longest / max(width, height))
    if _cover(width * fit) * _cover(height * fit) > budget.patches:
        fit = math.sqrt(32 * 32 * budget.patches / (width * height))
        across, down = width * fit / 32, height * fit / 32
        if min(across, down) >= 1:
            fit *= min(math.floor(across) / across, math.floor(down) / down)
    return min(budget.patches, _cover(width * fit) * _cover(height * fit))


def _cover(side: float) -> int:
    return max(1, math.ceil(round(side, 6) / 32))


_GPT_4O = TileRule(85, 170)
_LARGE = Budget(2_500, 2_048)
_LARGEST = Budget(10_000, 6_000)
_MINI, _NANO = PatchRule(Decimal("1.62")), PatchRule(Decimal("2.46"))

RULES: dict[str, Rule] = {
    "gpt-4o": _GPT_4O,
    "chatgpt-4o": _GPT_4O,
    "gpt-4.1": _GPT_4O,
    "gpt-4.5": _GPT_4O,
    "gpt-4o-mini": TileRule(2833, 5667),
    "gpt-5": TileRule(70, 140),
    "o1": TileRule(75, 150),
    "o3": TileRule(75, 150),
    "computer-use-preview": TileRule(65, 129),
    "gpt-4.1-mini": _MINI,
    "gpt-4.1-nano": _NANO,
    "gpt-5-mini": _MINI,
    "gpt-5-nano": _NANO,
    "gpt-5.4-mini": _MINI,
    "gpt-5.4-nano": _NANO,
    "o4-mini": PatchRule(Decimal("1.72")),
    "gpt-5-codex-mini": PatchRule(),
    "gpt-5.1-codex-mini": PatchRule(),
    "gpt-5.2": PatchRule(),
    "gpt-5.2-codex": PatchRule(),
    "gpt-5.3-codex": PatchRule(),
    "gpt-5.4": PatchRule(high=_LARGE, original=_LARGEST),
    "gpt-5.5": PatchRule(high=_LARGE, original=_LARGEST, auto_is_original=True),
}
"""The published rule of each model, by its name without its version."""


_VERSION = re.compile(r"-(\d{4}-\d{2}-\d{2}|chat-latest|latest|pro|preview)$")


def rule_for(model: str) -> Rule | None:
    """Return the rule published for a model's name, a dated version's too, or None."""
    name = model.rpartition("/")[2].lower()
    while name not in RULES:
        shorter = _VERSION.sub("", name)
        if shorter == name:
            return None
        name = shorter
    return RULES[name]


def count_images(model: str, messages: Sequence[Message]) -> tuple[int, tuple[str, ...]]:
    """Return the tokens of the messages' pictures, with a note for each uncertain one.

    A picture whose size is not in its URL counts as the largest: nothing is fetched.
    """
    published = rule_for(model)
    rule = published or _GPT_4O
    total = 0
    notes: list[str] = []
    for image in images_of(messages):
        if published is None:
            notes.append(f"{image.place}: {model} has no published rule; counted as gpt-4o's")
        size = image_size(image.url)
        if size is not None:
            total += rule.tokens(*size, image.detail)
        elif isinstance(rule, TileRule) and image.detail == "low":
            total += rule.base
        else:
            total += rule.most(image.detail)
            notes.append(f"{image.place}: its size is not in its URL; counted as the largest")
    return total, tuple(notes)
