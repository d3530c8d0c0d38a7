"""From what providers report to the quantities that are billed. Pure.

Providers name the same members differently and leave some out, so each way of reporting is a table,
a ``Dialect``, and a report is read member by member: what can't be read of it spoils nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import ROUND_UP, Decimal, InvalidOperation
from typing import Any, Final, Self

Paths = tuple[str, ...]
"""Members by their path, ``prompt_tokens_details.cached_tokens``: the first that has a number."""


@dataclass(frozen=True, slots=True)
class Usage:
    """A provider's report in tokens: two wholes, None where not reported, and parts of them.

    ``prompt`` is all that the model read, cached and written tokens included; ``completion`` all
    that it made, thoughts included. ``cache_write_1h`` is what is kept for an hour, beside
    ``cache_write``, which is what is kept for less. ``images``, ``searches``, ``characters`` and
    ``audio_seconds`` are no tokens.
    """

    prompt: int | None = None
    completion: int | None = None
    cached: int = 0
    cache_write: int = 0
    cache_write_1h: int = 0
    audio_input: int = 0
    image_input: int = 0
    reasoning: int = 0
    audio_output: int = 0
    image_output: int = 0
    images: int = 0
    searches: int = 0
    characters: int = 0
    audio_seconds: Decimal = Decimal(0)

    def merged(self, later: Usage) -> Usage:
        """Return the highest of each member: reports of one answer are cumulative.

        A later, lower one is of an empty chunk, or of a part of the answer.
        """
        return Usage(
            _highest(self.prompt, later.prompt),
            _highest(self.completion, later.completion),
            *(max(getattr(self, part), getattr(later, part)) for part in _PARTS),
        )

    def within(self, *, prompt: int, completion: int) -> Self:
        """Return the report without wholes that are greater than these, which can't be true."""
        kept = self
        if kept.prompt is not None and kept.prompt > prompt:
            kept = replace(kept, prompt=None)
        if kept.completion is not None and kept.completion > completion:
            kept = replace(kept, completion=None)
        return kept

    def filled(self, *, prompt: int, completion: int) -> Self:
        """Return the report with counts of our own where it says nothing."""
        return replace(
            self,
            prompt=prompt if self.prompt is None else self.prompt,
            completion=completion if self.completion is None else self.completion,
        )

    def quantities(self) -> dict[str, Decimal]:
        """Split the usage into disjoint meters: a token counts in one of them only.

        A part that is larger than what is left of its whole is cut to it.
        """
        tokens = _divided(
            self.prompt or 0,
            "input_tokens",
            {
                "cached_input_tokens": self.cached,
                "cache_write_1h_tokens": self.cache_write_1h,
                "cache_write_tokens": self.cache_write,
                "audio_input_tokens": self.audio_input,
                "image_input_tokens": self.image_input,
            },
        ) | _divided(
            self.completion or 0,
            "output_tokens",
            {
                "reasoning_tokens": self.reasoning,
                "audio_output_tokens": self.audio_output,
                "image_output_tokens": self.image_output,
            },
        )
        others = {"images": self.images, "searches": self.searches, "characters": self.characters}
        quantities = measured({**tokens, **others})
        return quantities | ({"audio_seconds": self.audio_seconds} if self.audio_seconds else {})


_PARTS: Final = (
    "cached",
    "cache_write",
    "cache_write_1h",
    "audio_input",
    "image_input",
    "reasoning",
    "audio_output",
    "image_output",
    "images",
    "searches",
    "characters",
    "audio_seconds",
)


@dataclass(frozen=True, slots=True)
class Dialect:
    """How some providers name the members of a report, and what they count twice or not at all.

    The prompt is the sum of ``prompt`` and of those in ``beside_prompt``, which the provider does
    not include in it; the completion likewise. ``modalities_in`` and ``modalities_out`` are lists
    of tokens by kind, as Gemini's.
    """

    prompt: Paths
    completion: Paths
    beside_prompt: tuple[Paths, ...] = ()
    beside_completion: tuple[Paths, ...] = ()
    total: Paths = ()
    cached: Paths = ()
    cache_write: Paths = ()
    cache_write_1h: Paths = ()
    audio_input: Paths = ()
    image_input: Paths = ()
    reasoning: Paths = ()
    audio_output: Paths = ()
    image_output: Paths = ()
    write_includes_1h: bool = False


OPENAI: Final = Dialect(
    prompt=("prompt_tokens", "input_tokens"),
    completion=("completion_tokens", "output_tokens"),
    total=("total_tokens",),
    cached=(
        "prompt_tokens_details.cached_tokens",
        "input_tokens_details.cached_tokens",
        "prompt_cache_hit_tokens",
        "cached_tokens",
    ),
    cache_write=(
        "prompt_tokens_details.cache_write_tokens",
        "prompt_tokens_details.cache_creation_tokens",
        "input_tokens_details.cache_write_tokens",
        "cache_creation_input_tokens",
    ),
    audio_input=("prompt_tokens_details.audio_tokens", "input_tokens_details.audio_tokens"),
    reasoning=(
        "completion_tokens_details.reasoning_tokens",
        "output_tokens_details.reasoning_tokens",
        "reasoning_tokens",
    ),
    audio_output=(
        "completion_tokens_details.audio_tokens",
        "output_tokens_details.audio_tokens",
    ),
)
"""OpenAI's chat completions and responses, and what others add to them.

``prompt_cache_hit_tokens`` is DeepSeek's, ``cached_tokens`` by itself Moonshot's,
``cache_write_tokens`` OpenRouter's and OpenAI's, ``cache_creation_tokens`` LiteLLM's.
https://platform.openai.com/docs/api-reference/chat/object, https://api-docs.deepseek.com/api,
https://openrouter.ai/docs/use-cases/usage-accounting
"""

OPENAI_IMAGES: Final = replace(
    OPENAI,
    image_input=("input_tokens_details.image_tokens",),
    # What a picture is made of, unless the report divides it
    image_output=("output_tokens_details.image_tokens", "output_tokens"),
)
"""Pictures: https://platform.openai.com/docs/api-reference/images/object"""

OPENAI_SPEECH: Final = replace(
    OPENAI,
    # What sound is made of, unless the report divides it
    audio_output=("output_token_details.audio_tokens", "output_tokens"),
)
"""Sound: https://platform.openai.com/docs/api-reference/audio/speech-audio-done-event"""

OPENAI_TRANSCRIPTIONS: Final = replace(
    OPENAI, audio_input=("input_token_details.audio_tokens", "input_tokens_details.audio_tokens")
)
"""Sound that became text: https://platform.openai.com/docs/api-reference/audio/json-object"""

ANTHROPIC: Final = Dialect(
    prompt=("input_tokens",),
    completion=("output_tokens",),
    beside_prompt=(("cache_read_input_tokens",), ("cache_creation_input_tokens",)),
    cached=("cache_read_input_tokens",),
    cache_write=("cache_creation_input_tokens",),
    cache_write_1h=("cache_creation.ephemeral_1h_input_tokens",),
    write_includes_1h=True,
)
"""Messages: neither cached nor written tokens are within ``input_tokens``.

https://docs.claude.com/en/docs/build-with-claude/prompt-caching
"""

GEMINI: Final = Dialect(
    prompt=("promptTokenCount",),
    completion=("candidatesTokenCount",),
    beside_prompt=(("toolUsePromptTokenCount",),),
    beside_completion=(("thoughtsTokenCount",),),
    total=("totalTokenCount",),
    cached=("cachedContentTokenCount",),
    audio_input=("promptTokensDetails.AUDIO",),
    reasoning=("thoughtsTokenCount",),
    audio_output=("candidatesTokensDetails.AUDIO",),
)
"""``usageMetadata``: thoughts are not within ``candidatesTokenCount``.

https://ai.google.dev/api/generate-content#UsageMetadata
"""


def read_usage(report: object, dialect: Dialect = OPENAI) -> Usage | None:
    """Return the usage that a provider reported, or None if no whole of it can be read.

    An explicit zero is a report. Where the total is more than prompt and completion, the rest was
    made too: thoughts that xAI counts beside the completion, and others leave out of it.
    """
    if not isinstance(report, dict):
        return None
    prompt = _sum(report, dialect.prompt, dialect.beside_prompt)
    completion = _sum(report, dialect.completion, dialect.beside_completion)
    reasoning = _first(report, dialect.reasoning) or 0
    total = _first(report, dialect.total)
    if total is not None and prompt is not None and total > prompt + (completion or 0):
        hidden = total - prompt - (completion or 0)
        if completion is None:
            completion = hidden
        else:
            completion += hidden
            reasoning = hidden if reasoning <= hidden else reasoning + hidden
    if prompt is None and completion is None:
        return None
    write, write_1h = (
        _first(report, paths) or 0 for paths in (dialect.cache_write, dialect.cache_write_1h)
    )
    return Usage(
        prompt=prompt,
        completion=completion,
        cached=_first(report, dialect.cached) or 0,
        cache_write=max(0, write - write_1h) if dialect.write_includes_1h else write,
        cache_write_1h=write_1h,
        audio_input=_first(report, dialect.audio_input) or 0,
        image_input=_first(report, dialect.image_input) or 0,
        reasoning=reasoning,
        audio_output=_first(report, dialect.audio_output) or 0,
        image_output=_first(report, dialect.image_output) or 0,
    )


def seconds_of(report: object, member: str) -> Decimal | None:
    """Return a number of seconds that a report has, None if it has none that can be true."""
    value = report.get(member) if isinstance(report, dict) else None
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        seconds = Decimal(str(value))
    except InvalidOperation:
        return None
    if not seconds.is_finite() or not 0 < seconds <= _MOST_SECONDS:
        return None
    return seconds.quantize(_THOUSANDTH, rounding=ROUND_UP)


_MOST_SECONDS: Final = 30 * 24 * 3600
_THOUSANDTH: Final = Decimal("0.001")


def merged(earlier: Usage | None, later: Usage | None) -> Usage | None:
    """Return what two reports of one answer say together."""
    if earlier is None or later is None:
        return earlier or later
    return earlier.merged(later)


def measured(tokens: Mapping[str, int]) -> dict[str, Decimal]:
    """Return the quantities of one answered call, without meters of zero."""
    return {"requests": Decimal(1)} | {
        meter: Decimal(count) for meter, count in tokens.items() if count > 0
    }


def _divided(whole: int, rest: str, parts: Mapping[str, int]) -> dict[str, int]:
    """Return each part, cut to what is left of the whole, and what no part has as ``rest``."""
    left, divided = whole, {}
    for meter, tokens in parts.items():
        divided[meter] = min(left, tokens)
        left -= divided[meter]
    return {rest: left, **divided}


def _highest(first: int | None, second: int | None) -> int | None:
    return max((count for count in (first, second) if count is not None), default=None)


def _sum(report: Mapping[str, Any], whole: Paths, beside: tuple[Paths, ...]) -> int | None:
    counts = [count for paths in (whole, *beside) if (count := _first(report, paths)) is not None]
    return sum(counts) if counts else None


def _first(report: Mapping[str, Any], paths: Paths) -> int | None:
    for path in paths:
        value: object = report.get(path)
        if "." in path:
            value = report
            for name in path.split("."):
                value = _member(value, name)
        if (count := _count(value)) is not None:
            return count
    return None


def _member(value: object, name: str) -> object:
    """Return a member of an object, or the tokens of a kind in a list as Gemini's."""
    if isinstance(value, dict):
        return value.get(name)
    if isinstance(value, list):
        counts = [
            count
            for part in value
            if isinstance(part, dict)
            and part.get("modality") == name
            and (count := _count(part.get("tokenCount"))) is not None
        ]
        return sum(counts) if counts else None
    return None


def _count(value: object) -> int | None:
    """Return a number of tokens: whole, as a whole float or as digits; None for anything else."""
    if isinstance(value, str):
        digits = value.strip()
        if len(digits) <= _LONGEST_NUMBER and digits.isascii() and digits.isdecimal():
            value = int(digits)
    elif isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        return None
    return value


_LONGEST_NUMBER: Final = 20
