"""OpenAI's published examples, with the counts that its API answered to them.

https://cookbook.openai.com/examples/how_to_count_tokens_with_tiktoken, sections 6 and 7
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.metering.tokens import count_text, tokenizer_for
from backend.metering.tokens.openai_chat import count_chat

pytestmark = pytest.mark.fast

JARGON: list[dict[str, Any]] = [
    {
        "role": "system",
        "content": "You are a helpful, pattern-following assistant that translates corporate "
        "jargon into plain English.",
    },
    {
        "role": "system",
        "name": "example_user",
        "content": "New synergies will help drive top-line growth.",
    },
    {
        "role": "system",
        "name": "example_assistant",
        "content": "Things working well together will increase revenue.",
    },
    {
        "role": "system",
        "name": "example_user",
        "content": "Let's circle back when we have more bandwidth to touch base on opportunities "
        "for increased leverage.",
    },
    {
        "role": "system",
        "name": "example_assistant",
        "content": "Let's talk later when we're less busy about how to do better.",
    },
    {
        "role": "user",
        "content": "This late pivot means we don't have time to boil the ocean for the client "
        "deliverable.",
    },
]
WEATHER: list[dict[str, Any]] = [
    {
        "role": "system",
        "content": "You are a helpful assistant that can answer to questions about the weather.",
    },
    {"role": "user", "content": "What's the weather like in San Francisco?"},
]
TOOLS: list[dict[str, Any]] = [
    {
        "type": "function",
        "function": {
            "name": "get_current_weather",
            "description": "Get the current weather in a given location",
            "parameters": {
                "type": "object",
                "properties": {
                    "location": {
                        "type": "string",
                        "description": "The city and state, e.g. San Francisco, CA",
                    },
                    "unit": {
                        "type": "string",
                        "description": "The unit of temperature to return",
                        "enum": ["celsius", "fahrenheit"],
                    },
                },
                "required": ["location"],
            },
        },
    }
]


@pytest.mark.parametrize(("encoding", "tokens"), [("cl100k_base", 129), ("o200k_base", 124)])
async def test_messages_cost_what_the_api_said(encoding: str, tokens: int) -> None:
    counted = await tokenizer_for(f"tiktoken:{encoding}", model="gpt-4o").count_chat(JARGON)
    assert (counted.total, counted.exact) == (tokens, True)
    assert counted.overhead == 6 * 3 + 4 * 1 + 3


@pytest.mark.parametrize(("encoding", "tokens"), [("cl100k_base", 105), ("o200k_base", 101)])
async def test_tools_cost_what_the_api_said(encoding: str, tokens: int) -> None:
    tokenizer = tokenizer_for(f"tiktoken:{encoding}", model="gpt-4o")
    counted = await tokenizer.count_chat(WEATHER, TOOLS)
    assert (counted.total, counted.exact) == (tokens, True)
    bare = await tokenizer.count_chat(WEATHER)
    assert counted.total - counted.tools == bare.total


async def test_parts_of_text_cost_as_one_text_does_each() -> None:
    tokenizer = tokenizer_for("tiktoken:o200k_base", model="gpt-4o")
    parts = [{"role": "user", "content": [{"type": "text", "text": "one"}]}]
    whole = [{"role": "user", "content": "one"}]
    assert await tokenizer.count_chat(parts) == await tokenizer.count_chat(whole)


async def test_what_no_rule_covers_is_noted_by_its_place() -> None:
    tokenizer = tokenizer_for("tiktoken:o200k_base", model="gpt-4o")
    counted = await tokenizer.count_chat(
        [
            {"role": "user", "content": [{"type": "input_audio", "input_audio": {"data": ""}}]},
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [{"function": {"name": "f", "arguments": '{"a": 1}'}}],
            },
        ],
        [
            {"type": "custom", "custom": {"name": "x"}},
            {
                "type": "function",
                "function": {
                    "name": "f",
                    "parameters": {
                        "properties": {"a": {"type": "object", "properties": {"b": {}}}}
                    },
                },
            },
        ],
    )
    assert not counted.exact
    assert [note.partition(":")[0] for note in counted.notes] == [
        "messages.0.content.0",
        "messages.1.tool_calls",
        "tools.0",
        "tools",
    ]


NAMES = [
    *("role", "name", "content", "type", "text", "image_url", "url", "tool_calls", "function"),
    *("arguments", "parameters", "properties", "items", "enum", "refusal"),
]
words = st.text("aé{<|>\n .", max_size=8)
json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | words,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4)
    ),
    max_leaves=8,
)
objects = st.dictionaries(
    st.sampled_from(["role", "name", "content", "tool_calls", "function", "type"]),
    json_values,
    max_size=5,
)


@given(st.lists(objects, max_size=4), st.lists(objects, max_size=3))
def test_no_json_is_too_odd_to_be_counted(
    messages: list[dict[str, Any]], tools: list[dict[str, Any]]
) -> None:
    def count(text: str) -> int:
        return count_text("o200k_base", text)

    counted = count_chat(count, "o200k_base", messages, tools)
    assert counted.total == counted.text + counted.tools + counted.overhead
    assert counted.overhead >= 3 + 3 * len(messages)


async def test_a_schema_without_end_is_counted_to_a_depth() -> None:
    schema: dict[str, Any] = {"type": "object"}
    for _ in range(200):
        schema = {"type": "object", "properties": {"a": schema}}
    tool = {"type": "function", "function": {"name": "f", "parameters": schema}}
    tokenizer = tokenizer_for("tiktoken:o200k_base", model="gpt-4o")
    assert (await tokenizer.count_chat(WEATHER, [tool])).tools > 100
