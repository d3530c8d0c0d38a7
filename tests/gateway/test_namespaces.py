"""Functions in namespaces of responses, such as those of Codex's MCP servers, asked of chats."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from backend.gateway.protocols.parts.base import Asked, Document, Forwarding
from backend.gateway.protocols.responses import RESPONSES
from backend.gateway.protocols.translation.responses_over_chat import RESPONSES_OVER_CHAT
from backend.gateway.sse import EventParser
from tests.gateway import chat_answers

pytestmark = pytest.mark.fast

TO = Forwarding("their-own-name", output_cap=500)
SCHEMA = {"type": "object", "properties": {"word": {"type": "string"}}}

LONG = "read_" + "x" * 60
NAMESPACES: list[Any] = [
    {"type": "function", "name": "mcp__docs__taken", "parameters": SCHEMA},
    {
        "type": "namespace",
        "name": "mcp__docs__",
        "description": "The handbook",
        "tools": [
            {"type": "function", "name": "search", "description": "Finds", "parameters": SCHEMA},
            {"type": "function", "name": "taken", "parameters": SCHEMA},
            {"type": "custom", "name": "free"},
        ],
    },
    {"type": "namespace", "name": "crm", "tools": [{"type": "function", "name": LONG}]},
    {"type": "namespace", "name": "nothing"},
    {"type": "web_search"},
    "odd",
]


def of_namespaces(**more: Any) -> Asked:
    request = {"model": "m", "tools": NAMESPACES, "input": "hi", **more}
    return RESPONSES.read(json.dumps(request).encode())


def test_functions_of_namespaces_are_functions_of_a_chat() -> None:
    call = {"type": "function_call", "call_id": "c", "arguments": "{}"}
    chat = RESPONSES_OVER_CHAT.forward(
        of_namespaces(
            input=[
                {**call, "name": "search", "namespace": "mcp__docs__"},
                {**call, "name": LONG, "namespace": "crm"},
                {**call, "name": "mcp__docs__taken"},
            ],
            tool_choice={"type": "function", "name": "search", "namespace": "mcp__docs__"},
        ),
        TO,
    )
    functions = [tool["function"] for tool in chat["tools"]]
    names = [function["name"] for function in functions]
    assert names[:2] == ["mcp__docs__taken", "mcp__docs__search"]
    assert re.fullmatch(r"crm__read_x{45}_[0-9a-f]{8}", names[2])
    assert len(names) == 3
    assert functions[1]["description"] == "The handbook\n\nFinds"
    assert functions[1]["parameters"] == SCHEMA
    called = [call["function"]["name"] for call in chat["messages"][0]["tool_calls"]]
    assert called == [names[1], names[2], names[0]]
    assert chat["tool_choice"]["function"] == {"name": "mcp__docs__search"}


def streamed(names: list[str]) -> bytes:
    """A chat's stream that calls these functions."""
    calls = [
        {"index": place, "id": f"c{place}", "function": {"name": name, "arguments": "{}"}}
        for place, name in enumerate(names)
    ]
    deltas = [({"tool_calls": [call]}, None) for call in calls] + [({}, "tool_calls")]
    return b"".join(
        chat_answers.chunk(choices=[{"index": 0, "delta": delta, "finish_reason": reason}])
        for delta, reason in deltas
    )


def events_of(asking: Asked, stream: bytes) -> list[Document]:
    reader = RESPONSES_OVER_CHAT.reader(asking)
    passed = b"".join(map(reader.feed, EventParser().feed(stream))) + reader.last()
    return [json.loads(event.data) for event in EventParser().feed(passed)]


@pytest.mark.parametrize("stream", [False, True])
def test_a_call_of_a_namespaces_function_names_both(stream: bool) -> None:
    from openai.types.responses import ResponseFunctionToolCall

    asking = of_namespaces(stream=stream)
    flat = RESPONSES_OVER_CHAT.forward(asking, TO)["tools"][2]["function"]["name"]
    names = ["mcp__docs__search", flat, "mcp__docs__taken", "other"]
    if stream:
        events = events_of(asking, streamed(names))
        response = events[-1]["response"]
        begun = [event["item"] for event in events if event["type"] == "response.output_item.added"]
        assert [item.get("namespace") for item in begun] == ["mcp__docs__", "crm", None, None]
    else:
        calls = [{"id": f"c{place}", "function": {"name": n}} for place, n in enumerate(names)]
        message = {"role": "assistant", "tool_calls": calls}
        body = chat_answers.whole(choices=[{"message": message, "finish_reason": "tool_calls"}])
        response = RESPONSES_OVER_CHAT.answer(asking, body).document
    called = [ResponseFunctionToolCall.model_validate(item) for item in response["output"]]
    assert [(call.name, call.namespace) for call in called] == [
        ("search", "mcp__docs__"),
        (LONG, "crm"),
        ("mcp__docs__taken", None),
        ("other", None),
    ]
