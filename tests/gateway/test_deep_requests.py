"""A request is refused where it is nested too deeply to be sent on, and never fails later."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.gateway.errors import InvalidRequest
from backend.gateway.holds.bounds import most_units
from backend.gateway.protocols.chat import CHAT
from backend.gateway.protocols.completions import COMPLETIONS
from backend.gateway.protocols.embeddings import EMBEDDINGS
from backend.gateway.protocols.images import IMAGES
from backend.gateway.protocols.messages import MESSAGES, read_count
from backend.gateway.protocols.parts.base import Forwarding, Protocol
from backend.gateway.protocols.responses import RESPONSES
from backend.gateway.protocols.translation.chat_over_messages import CHAT_OVER_MESSAGES
from backend.gateway.protocols.translation.messages_over_chat import MESSAGES_OVER_CHAT
from backend.gateway.protocols.translation.responses_over_chat import RESPONSES_OVER_CHAT
from backend_client.types.catalog import CatalogModel

pytestmark = pytest.mark.fast

MODEL = CatalogModel(
    id="m", name="M", context_window=1_000_000, max_output_tokens=100, tokenizer="upstream"
)
PROTOCOLS: list[Protocol] = [
    *(CHAT, COMPLETIONS, EMBEDDINGS, IMAGES, MESSAGES, RESPONSES),
    *(CHAT_OVER_MESSAGES, MESSAGES_OVER_CHAT, RESPONSES_OVER_CHAT),
]


def nested(depth: int) -> Any:
    value: Any = "x"
    for _ in range(depth):
        value = {"a": [value]}
    return value


def deep_requests(depth: int) -> list[bytes]:
    """A request for each place in which a schema, a part or a tool's input may be deep."""
    plain = {"model": "m", "max_tokens": 5, "prompt": "hi", "input": "hi"}
    messages = [{"role": "user", "content": "hi"}]
    deep = nested(depth)
    function = {"name": "f", "parameters": deep, "input_schema": deep}
    used = [{"type": "tool_use", "id": "1", "name": "f", "input": deep}]
    result = [{"type": "tool_result", "tool_use_id": "1", "content": [{"type": "x", "y": deep}]}]
    return [
        json.dumps({**plain, "messages": messages, **more}).encode()
        for more in (
            {"response_format": deep},
            {"tools": [{"type": "function", "function": function, **function}]},
            {"messages": [*messages, {"role": "assistant", "content": used}]},
            {"messages": [{"role": "user", "content": result}]},
            {"input": [{"type": "function_call_output", "call_id": "1", "output": [deep]}]},
        )
    ]


@given(st.integers(100, 125))
def test_a_deep_request_is_refused_or_sent(depth: int) -> None:
    for body in deep_requests(depth):
        for protocol in PROTOCOLS:
            try:
                asked = protocol.read(body)
            except InvalidRequest:
                continue
            most_units(MODEL, asked, None)
            assert orjson.dumps(protocol.forward(asked, Forwarding("theirs", output_cap=5)))


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_request_of_any_depth_is_refused_in_words(protocol: Protocol) -> None:
    for depth in (130, 600, 100_000):
        deep = b'{"a":' * depth + b"1" + b"}" * depth
        body = b'{"model":"m","max_tokens":5,"prompt":"hi","input":"hi","messages":'
        body += b'[{"role":"user","content":"hi"}],"metadata":' + deep + b"}"
        if depth > 250:
            with pytest.raises(InvalidRequest, match=r"too deeply|not valid JSON"):
                protocol.read(body)
            with pytest.raises(InvalidRequest, match=r"too deeply|not valid JSON"):
                read_count(body)
        else:
            assert protocol.read(body).model == "m"
