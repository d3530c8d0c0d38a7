"""The most that a call can use: of its whole body, whatever members carry the prompt."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.gateway.errors import ContextLengthExceeded
from backend.gateway.holds.bounds import most_units, require_fit
from backend.gateway.protocols.chat import CHAT
from backend.gateway.protocols.messages import MESSAGES
from backend.gateway.protocols.parts.base import Asked, Protocol
from backend.gateway.protocols.responses import RESPONSES
from backend.metering.tokens import tokenizer_for
from backend.metering.tokens.counts import TokenCount
from backend_client.types.catalog import CatalogModel

pytestmark = pytest.mark.fast

MODEL = CatalogModel(
    id="m", name="M", context_window=200_000, max_output_tokens=1_000, tokenizer="upstream"
)
HELLO: list[dict[str, Any]] = [{"role": "user", "content": "Say hello."}]
LONG = "prompt " * 8_000
EXACT = TokenCount(text=20, overhead=4)
INEXACT = TokenCount(text=20, notes=("a part is not counted",))
TEXT = {"type": "text", "text": "Say hello."}
PIXEL = "data:image/png;base64,iVBORw0KGgo="

CARRIERS: dict[str, dict[str, Any]] = {
    "response_format": {
        "response_format": {"type": "json_schema", "json_schema": {"schema": {"title": LONG}}}
    },
    "functions": {"functions": [{"name": "f", "description": LONG}]},
    "prediction": {"prediction": {"type": "content", "content": LONG}},
    "web_search_options": {"web_search_options": {"user_location": {"approximate": LONG}}},
    "a member that nobody knows": {"x_context": LONG},
    "a long name": {LONG: "x"},
    "tool_choice": {"tool_choice": {"type": "function", "function": {"name": LONG}}},
    "tools that are no array": {"tools": {"function": {"name": LONG}}},
    "a keyword of a tool's schema": {
        "tools": [{"type": "function", "function": {"name": "f", "parameters": {"$defs": LONG}}}]
    },
    "a default in a tool's schema": {
        "tools": [
            {
                "type": "function",
                "function": {
                    "name": "f",
                    "parameters": {"properties": {"a": {"type": "string", "default": LONG}}},
                },
            }
        ]
    },
    "a picture's detail": {
        "messages": [
            {
                "role": "user",
                "content": [
                    TEXT,
                    {"type": "image_url", "image_url": {"url": PIXEL, "detail": LONG}},
                ],
            }
        ]
    },
    "a member beside a picture": {
        "messages": [
            {
                "role": "user",
                "content": [{"type": "image_url", "image_url": {"url": PIXEL}, "caption": LONG}],
            }
        ]
    },
    "the type of a part": {
        "messages": [{"role": "user", "content": [{**TEXT, "type": LONG}]}],
    },
    "content that is an object": {"messages": [{"role": "user", "content": {"text": LONG}}]},
    "text that is an array": {
        "messages": [{"role": "user", "content": [{"type": "text", "text": [LONG]}]}]
    },
    "a member of a message": {"messages": [{**HELLO[0], "context": LONG}]},
    "function_call": {"messages": [{**HELLO[0], "function_call": {"arguments": LONG}}]},
}


def asked(request: dict[str, Any]) -> Asked:
    return CHAT.read(orjson.dumps(request))


@pytest.mark.parametrize("counted", [EXACT, INEXACT, None], ids=["exact", "inexact", "uncounted"])
@pytest.mark.parametrize("members", CARRIERS.values(), ids=CARRIERS.keys())
def test_whatever_carries_the_prompt_is_held(
    members: dict[str, Any], counted: TokenCount | None
) -> None:
    request = {"model": "m", "messages": HELLO, **members}
    assert most_units(MODEL, asked(request), counted).prompt_tokens >= len(LONG)


_ASK: dict[str, Any] = {"max_tokens": 5, "messages": HELLO}
OTHERS: list[tuple[Protocol, dict[str, Any]]] = [
    (RESPONSES, {"input": "hi", "instructions": LONG}),
    (RESPONSES, {"input": "hi", "x_context": LONG}),
    (RESPONSES, {"input": [{"role": "user", "content": "hi", "x_context": LONG}]}),
    (RESPONSES, {"input": [{"type": "reasoning", "encrypted_content": LONG}]}),
    (RESPONSES, {"input": [{"type": "reasoning", "summary": [{"text": LONG}]}]}),
    (RESPONSES, {"input": "hi", "text": {"format": {"type": "json_schema", "schema": LONG}}}),
    (MESSAGES, _ASK | {"system": LONG}),
    (MESSAGES, _ASK | {"x_context": LONG}),
    (MESSAGES, _ASK | {"messages": [{"role": "user", "content": "hi", "x_context": LONG}]}),
    (MESSAGES, _ASK | {"messages": [{"role": "user", "content": [TEXT | {"x_context": LONG}]}]}),
    (MESSAGES, _ASK | {"tools": [{"name": "f", "input_schema": {}, "input_examples": [LONG]}]}),
]


@pytest.mark.parametrize(("protocol", "members"), OTHERS)
async def test_whatever_carries_the_prompt_is_held_of_other_protocols(
    protocol: Protocol, members: dict[str, Any]
) -> None:
    asked = protocol.read(orjson.dumps({"model": "m", **members}))
    tokenizer = tokenizer_for("tiktoken:o200k_base", model="m")
    counted = await tokenizer.count_chat(asked.messages, asked.tools)
    words = LONG.count("prompt")
    assert most_units(MODEL, asked, counted).prompt_tokens >= words
    assert most_units(MODEL, asked, None).prompt_tokens >= len(LONG)


def test_what_a_rule_counts_is_held_with_little_more() -> None:
    request = {"model": "m", "messages": HELLO, "max_tokens": 5, "temperature": 0.5, "n": 2}
    most = most_units(MODEL, asked(request), TokenCount(text=1_000))
    assert (most.prompt_tokens, most.output_tokens) == (1_100 + 64, 10)


def test_the_models_name_is_no_part_of_the_prompt() -> None:
    named = most_units(MODEL, asked({"model": "m" * 500, "messages": HELLO}), None)
    assert named == most_units(MODEL, asked({"model": "m", "messages": HELLO}), None)


@pytest.mark.parametrize(
    "members",
    [
        {"web_search_options": {}},
        {"plugins": [{"id": "web"}]},
        {"tools": [{"type": "web_search_preview"}]},
        {"previous_response_id": "resp_1"},
    ],
)
def test_what_a_provider_brings_in_can_fill_the_window(members: dict[str, Any]) -> None:
    request = {"model": "m", "messages": HELLO, **members}
    assert most_units(MODEL, asked(request), EXACT).prompt_tokens >= MODEL.context_window


def test_an_earlier_sound_can_fill_the_window() -> None:
    request = {"model": "m", "messages": [{"role": "assistant", "audio": {"id": "audio_1"}}]}
    assert most_units(MODEL, asked(request), None).prompt_tokens == MODEL.context_window


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4)
    ),
    max_leaves=12,
)
MESSAGES = st.lists(
    st.fixed_dictionaries({"role": st.just("user"), "content": JSON}), min_size=1, max_size=3
)


@given(messages=MESSAGES, more=st.dictionaries(st.text(max_size=12), JSON, max_size=4))
async def test_no_more_tokens_than_are_held_are_in_any_body(
    messages: list[dict[str, Any]], more: dict[str, Any]
) -> None:
    """A provider that writes the whole body into its prompt stays within what is held."""
    request = {**more, "model": "m", "messages": messages}
    written = orjson.dumps({name: request[name] for name in request if name != "model"}).decode()
    tokenizer = tokenizer_for("tiktoken:o200k_base", model="m")
    tokens = await tokenizer.count_text(written)
    assert most_units(MODEL, asked(request), None).prompt_tokens >= min(
        tokens, MODEL.context_window
    )


def test_what_cannot_fit_the_window_is_refused_by_its_bytes() -> None:
    small = MODEL.model_copy(update={"context_window": 100})
    blanks = {"model": "m", "messages": [{"role": "user", "content": " " * 100_000}]}
    with pytest.raises(ContextLengthExceeded, match="100 tokens") as raised:
        require_fit(small, asked(blanks), 100_050)
    assert (raised.value.status, raised.value.code) == (400, "context_length_exceeded")
    assert raised.value.errors[0].field == "messages"


def test_a_large_picture_is_not_taken_for_a_long_prompt() -> None:
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 10**6}}
    small = MODEL.model_copy(update={"context_window": 100})
    shown = {"model": "m", "messages": [{"role": "user", "content": [TEXT, picture]}]}
    require_fit(small, asked(shown), 10**6)
