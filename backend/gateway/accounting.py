"""From what a provider reports to the quantities that are billed."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

import msgspec


class _PromptDetails(msgspec.Struct):
    cached_tokens: int | None = None


class _CompletionDetails(msgspec.Struct):
    reasoning_tokens: int | None = None


class ReportedUsage(msgspec.Struct):
    """The ``usage`` object of OpenAI's protocol; other members are ignored.

    An empty one reports nothing, so the prompt's tokens are required.
    """

    prompt_tokens: int
    completion_tokens: int = 0
    prompt_tokens_details: _PromptDetails | None = None
    completion_tokens_details: _CompletionDetails | None = None

    def quantities(self) -> dict[str, Decimal]:
        """Split the usage into disjoint meters: a token counts in one of them only.

        Providers include cached tokens in the prompt's and reasoning in the completion's.
        """
        prompt, completion = max(0, self.prompt_tokens), max(0, self.completion_tokens)
        details = self.prompt_tokens_details
        cached = _part(prompt, details.cached_tokens if details else None)
        spoken = self.completion_tokens_details
        reasoning = _part(completion, spoken.reasoning_tokens if spoken else None)
        return measured(
            {
                "input_tokens": prompt - cached,
                "cached_input_tokens": cached,
                "output_tokens": completion - reasoning,
                "reasoning_tokens": reasoning,
            }
        )


def _part(whole: int, part: int | None) -> int:
    return min(whole, max(0, part or 0))


def measured(tokens: Mapping[str, int]) -> dict[str, Decimal]:
    """Return the quantities of one answered call, without meters of zero."""
    return {"requests": Decimal(1)} | {
        meter: Decimal(count) for meter, count in tokens.items() if count > 0
    }


def read_usage(usage: object) -> ReportedUsage | None:
    """Return the usage that a provider reported, or None if it reported none that can be read.

    An explicit zero is a report.
    """
    if not isinstance(usage, dict):
        return None
    try:
        return msgspec.convert(usage, ReportedUsage)
    except msgspec.ValidationError:
        return None
