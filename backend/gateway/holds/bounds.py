"""The most that a call can use, computed before it is made and enforced by the provider.

A prompt is bounded by all of the body, whatever its members are called: by the tokens of what
a tokenizer's rule counts, and by the bytes of everything else.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import orjson

from backend.gateway.errors import ContextLengthExceeded
from backend.gateway.protocols.parts.base import Asked, Document
from backend.gateway.protocols.parts.tools import PLAIN_TOOLS, kinds_in, run_by_provider
from backend.gateway.upstreams.rules import FETCHING
from backend.metering.tokens.counts import TokenCount, characters
from backend.quotas.holds import CallUnits
from backend_client.types.catalog import CatalogModel

_FORMAT_TOKENS: Final = 64
"""What a provider's template may add to a prompt beyond what was counted."""
_LONGEST_TOKEN_BYTES: Final = 256
"""No published vocabulary has a longer token; tiktoken's and Llama's longest has 128."""
_FETCHING: Final = FETCHING | {"conversation", "previous_response_id"}
_BUILT_IN_TOKENS: Final = 1_000
"""What a provider adds to a prompt for a tool that it describes itself, such as a shell: Anthropic
says up to 735 for one, and 499 beside. https://docs.claude.com/en/docs/agents-and-tools/tool-use
"""

_PROPERTY: Final[dict[str, Any]] = {"type": (str, [str]), "description": str, "enum": [str]}
_PROPERTY["properties"] = {"*": _PROPERTY}
_PARAMETERS: Final = {"properties": {"*": _PROPERTY}}
_PART: Final = {"text": str, "refusal": str, "image_url": (str, {"url": str})}
_MESSAGE: Final = {
    "role": str,
    "name": str,
    "content": (str, [_PART]),
    "refusal": str,
    "reasoning_content": str,
}
_TOOL: Final = {"function": {"name": str, "description": str, "parameters": _PARAMETERS}}
"""What every tokenizer's rule counts of messages and tools, to the last string. ``[shape]`` is an
array, a tuple has alternatives, ``*`` is a member of any name."""


def require_fit(model: CatalogModel, asked: Asked, body_bytes: int) -> None:
    """Raise ``ContextLengthExceeded`` for a prompt too long for the window however it is divided.

    This needs no count, which may take seconds. Pictures are left out: their size is not their
    tokens' number.
    """
    most = model.context_window * _LONGEST_TOKEN_BYTES
    if body_bytes > most and characters(asked.messages, asked.tools) > most:
        raise ContextLengthExceeded(
            f"This model's maximum context length is {model.context_window:,} tokens, and the "
            "messages have more. Shorten them."
        )


def most_units(model: CatalogModel, asked: Asked, counted: TokenCount | None) -> CallUnits:
    """Return the most that a call can use.

    ``counted`` is messages and tools by a local tokenizer; a tenth and a little more is added, and
    the bytes of all that its rule does not know. Without it, or if it is not exact, the bytes of
    the whole body but the model's name are counted: every token has at least one. What a provider
    adds by itself, and pictures and sound that no rule counts, can fill the model's window.
    """
    window, document = model.context_window, asked.document
    if any(_brings_in_more(document)):
        prompt = window * asked.prompts
    elif counted is not None and counted.exact:
        prompt = counted.total + counted.total // 10 + _uncounted_bytes(asked) + _FORMAT_TOKENS
    elif asked.text_only:
        prompt = _bytes({name: document[name] for name in document if name != "model"})
        prompt += _FORMAT_TOKENS
    else:
        prompt = window * asked.prompts
    built_in = sum(kind not in PLAIN_TOOLS for kind in kinds_in(document) if kind)
    prompt += built_in * _BUILT_IN_TOKENS
    each = min(asked.output_limit or model.max_output_tokens, window)
    return CallUnits(min(prompt, window * asked.prompts), each * asked.answers * asked.prompts)


def _uncounted_bytes(asked: Asked) -> int:
    """Return the bytes of all that the count of messages and tools, or of texts, leaves out."""
    document = asked.document
    if asked.texts is not None or asked.messages is document.get("messages"):
        beyond = sum(_beyond(message, _MESSAGE) for message in asked.messages)
        return beyond + sum(_beyond(tool, _TOOL) for tool in asked.tools) + asked.uncounted_bytes
    # They were made of another protocol's members, of which some may have been left out
    whole = _bytes({name: document[name] for name in document if name != "model"})
    counted = sum(_counted(message, _MESSAGE) for message in asked.messages)
    return max(0, whole - counted - sum(_counted(tool, _TOOL) for tool in asked.tools))


def _counted(value: object, shape: object) -> int:
    """Return the bytes of the strings in ``value`` that are in ``shape``."""
    for expected in shape if isinstance(shape, tuple) else (shape,):
        if expected is str and isinstance(value, str):
            return len(value.encode(errors="replace"))
        if isinstance(expected, list) and isinstance(value, list):
            return sum(_counted(item, expected[0]) for item in value)
        if isinstance(expected, dict) and isinstance(value, dict):
            return sum(
                _counted(member, expected.get(name, expected.get("*")))
                for name, member in value.items()
            )
    return 0


def _beyond(value: object, shape: object) -> int:
    """Return the bytes of what is in ``value`` and not in ``shape``."""
    for expected in shape if isinstance(shape, tuple) else (shape,):
        if expected is str and isinstance(value, str):
            return 0
        if isinstance(expected, list) and isinstance(value, list):
            return sum(_beyond(item, expected[0]) for item in value)
        if isinstance(expected, dict) and isinstance(value, dict):
            return sum(
                _bytes({name: member}) if within is None else _beyond(member, within)
                for name, member in value.items()
                for within in [expected.get(name, expected.get("*"))]
            )
    return _bytes(value)


def _bytes(value: object) -> int:
    return len(orjson.dumps(value))


def _brings_in_more(document: Document) -> Iterator[bool]:
    """Yield whether each part of a request may fetch what is not in it."""
    for name in _FETCHING:
        yield document.get(name) not in (None, False)
    yield run_by_provider(document.get("tools"))
