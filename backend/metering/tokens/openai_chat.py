"""What OpenAI's chat format adds to the text of messages and tools.

The numbers are OpenAI's own, from its cookbook's sections 6 and 7, which check them against the
API's answers:
https://cookbook.openai.com/examples/how_to_count_tokens_with_tiktoken
A message costs 3 tokens, a ``name`` one more, and every answer is primed with 3. A function costs
7 (in cl100k_base 10) and 12 at its end, its properties 3 together and 3 each, an enumeration -3
and 3 an item.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from backend.metering.tokens.counts import (
    CountText,
    Message,
    TokenCount,
    Tool,
    calls_of,
    texts_of,
    uncounted_of,
)

PER_MESSAGE = 3
PER_NAME = 1
PRIMING = 3
_PER_FUNCTION = {"cl100k_base": 10}
_PER_FUNCTION_OTHERWISE = 7
_FUNCTION_END = 12
_PROPERTIES = 3
_PER_PROPERTY = 3
_ENUMERATION = -3
_PER_ENUMERATED = 3
_DEEPEST = 32  # deeper levels of a schema are not counted


@dataclass(slots=True)
class _Tools:
    tokens: int = 0
    nested: bool = False


def count_chat(
    count: CountText, encoding: str, messages: Sequence[Message], tools: Sequence[Tool]
) -> TokenCount:
    """Count a chat without its pictures, in a tiktoken encoding.

    What the cookbook gives no number for (calls of tools in the history, nested parameters) is
    counted as its text, with a note.
    """
    text, overhead = 0, PRIMING
    notes = list(uncounted_of(messages))
    for number, message in enumerate(messages):
        overhead += PER_MESSAGE
        if isinstance(message.get("role"), str):
            text += count(message["role"])
        if isinstance(message.get("name"), str):
            text += count(message["name"])
            overhead += PER_NAME
        text += sum(map(count, texts_of(message)))
        called = sum(map(count, calls_of(message)))
        if called:
            text += called
            notes.append(f"messages.{number}.tool_calls: their framing is not published")
    offered = _Tools()
    for number, tool in enumerate(tools):
        function = tool.get("function")
        if not isinstance(function, dict):
            notes.append(f"tools.{number}: only functions are counted")
            continue
        per_function = _PER_FUNCTION.get(encoding, _PER_FUNCTION_OTHERWISE)
        name, description = _string(function, "name"), _string(function, "description")
        offered.tokens += per_function + count(f"{name}:{description.removesuffix('.')}")
        _properties(count, function.get("parameters"), offered, 0)
        offered.tokens += _FUNCTION_END
    if offered.nested:
        notes.append("tools: nested parameters are counted like flat ones")
    return TokenCount(text=text, tools=offered.tokens, overhead=overhead, notes=tuple(notes))


def _properties(count: CountText, schema: object, into: _Tools, depth: int) -> None:
    properties = schema.get("properties") if isinstance(schema, dict) else None
    if not isinstance(properties, dict) or not properties or depth > _DEEPEST:
        return
    into.tokens += _PROPERTIES
    for name, given in properties.items():
        part = given if isinstance(given, dict) else {}
        into.tokens += _PER_PROPERTY
        options = part.get("enum")
        if isinstance(options, list):
            into.tokens += _ENUMERATION
            into.tokens += sum(_PER_ENUMERATED + count(str(option)) for option in options)
        kind, description = part.get("type", ""), _string(part, "description")
        into.tokens += count(f"{name}:{kind}:{description.removesuffix('.')}")
        for inner in (part, part.get("items")):
            if isinstance(inner, dict) and isinstance(inner.get("properties"), dict):
                into.nested = True
                _properties(count, inner, into, depth + 1)


def _string(of: dict[str, object], member: str) -> str:
    value = of.get(member)
    return value if isinstance(value, str) else ""
