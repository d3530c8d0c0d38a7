"""Callers of one protocol, upstreams of another: what is asked, answered and billed is the same."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from backend.gateway.protocols.chat import CHAT
from backend.gateway.protocols.completions import COMPLETIONS
from backend.gateway.protocols.embeddings import EMBEDDINGS
from backend.gateway.protocols.messages import MESSAGES
from backend.gateway.protocols.parts.base import Asked, Forwarding, Protocol
from backend.gateway.protocols.responses import RESPONSES
from backend.gateway.protocols.translation.adapters import served_as
from backend.gateway.protocols.translation.chat_over_messages import CHAT_OVER_MESSAGES
from backend.gateway.protocols.translation.messages_over_chat import MESSAGES_OVER_CHAT
from backend.gateway.protocols.translation.responses_over_chat import RESPONSES_OVER_CHAT
from backend.gateway.sse import EventParser
from tests.gateway import chat_answers, message_answers

pytestmark = pytest.mark.fast

TO = Forwarding("their-own-name", output_cap=500)
PICTURE = "data:image/png;base64,aGk="
SCHEMA = {"type": "object", "properties": {"word": {"type": "string"}}}
CHAT_TOOL = {
    "type": "function",
    "function": {"name": "look_up", "description": "Looks up", "parameters": SCHEMA},
}
CHAT_CALL = {
    "id": "call_1",
    "type": "function",
    "function": {"name": "look_up", "arguments": '{"word":"sea"}'},
}
CHAT_MESSAGES = [
    {"role": "system", "content": "Be kind"},
    {
        "role": "user",
        "content": [
            {"type": "text", "text": "What is it?"},
            {"type": "image_url", "image_url": {"url": PICTURE}},
        ],
    },
    {"role": "assistant", "content": "I look.", "tool_calls": [CHAT_CALL]},
    {"role": "tool", "tool_call_id": "call_1", "content": "Salty"},
    {"role": "user", "content": "Go on"},
]
CLAUDE_IMAGE = {"type": "base64", "media_type": "image/png", "data": "aGk="}
CLAUDE_CALL = {"type": "tool_use", "id": "call_1", "name": "look_up", "input": {"word": "sea"}}
CLAUDE_REQUEST = {
    "model": "m",
    "max_tokens": 99,
    "system": [{"type": "text", "text": "Be kind", "cache_control": {"type": "ephemeral"}}],
    "messages": [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "What is it?"},
                {"type": "image", "source": CLAUDE_IMAGE},
            ],
        },
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "Hm", "signature": "x"},
                {"type": "text", "text": "I look."},
                CLAUDE_CALL,
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "call_1", "content": "Salty"},
                {"type": "text", "text": "Go on"},
            ],
        },
    ],
    "tools": [{"name": "look_up", "description": "Looks up", "input_schema": SCHEMA}],
    "tool_choice": {"type": "any", "disable_parallel_tool_use": True},
    "stop_sequences": ["END"],
    "metadata": {"user_id": "u1"},
    "temperature": 0.5,
    "top_k": 5,
}


def asked(protocol: Protocol, **request: Any) -> Asked:
    return protocol.read(json.dumps(request).encode())


def passed(adapter: Protocol, asking: Asked, *stream: bytes) -> tuple[list[Any], Any]:
    """What a caller gets of a stream as documents, and the reader."""
    reader, parser = adapter.reader(asking), EventParser()
    out = b"".join(reader.feed(event) for event in parser.feed(b"".join(stream)))
    assert reader.finished
    shown = EventParser().feed(out + reader.last())
    return [json.loads(event.data) for event in shown if event.data != b"[DONE]"], reader


def test_an_upstream_serves_what_it_speaks_or_what_can_be_translated() -> None:
    def speaks(*protocols: str) -> Any:
        return lambda name: name in protocols

    assert served_as(CHAT, speaks("chat", "messages")) == ("chat", CHAT)
    assert served_as(CHAT, speaks("messages")) == ("messages", CHAT_OVER_MESSAGES)
    assert served_as(MESSAGES, speaks("chat")) == ("chat", MESSAGES_OVER_CHAT)
    assert served_as(RESPONSES, speaks("chat")) == ("chat", RESPONSES_OVER_CHAT)
    assert served_as(RESPONSES, speaks("messages")) is None
    assert served_as(EMBEDDINGS, speaks("chat")) is None


def test_messages_are_asked_of_a_chat_upstream() -> None:
    chat = MESSAGES_OVER_CHAT.forward(asked(MESSAGES, **CLAUDE_REQUEST), TO)
    assert chat == {
        "model": "their-own-name",
        "messages": CHAT_MESSAGES,
        "max_completion_tokens": 99,
        "temperature": 0.5,
        "stop": ["END"],
        "user": "u1",
        "tools": [CHAT_TOOL],
        "tool_choice": "required",
        "parallel_tool_calls": False,
    }
    CHAT.read(json.dumps(chat).encode())


def test_chats_are_asked_of_an_upstream_of_messages() -> None:
    request = CHAT_OVER_MESSAGES.forward(
        asked(
            CHAT,
            model="m",
            messages=CHAT_MESSAGES,
            tools=[CHAT_TOOL],
            tool_choice={"type": "function", "function": {"name": "look_up"}},
            parallel_tool_calls=False,
            stop="END",
            user="u1",
            seed=7,
            stream=True,
        ),
        TO,
    )
    assert request == {
        "model": "their-own-name",
        "max_tokens": 500,
        "stream": True,
        "system": "Be kind",
        "messages": [
            CLAUDE_REQUEST["messages"][0],  # type: ignore[index]  # a literal of mixed values
            {"role": "assistant", "content": [{"type": "text", "text": "I look."}, CLAUDE_CALL]},
            {
                "role": "user",
                "content": [
                    {
                        "type": "tool_result",
                        "tool_use_id": "call_1",
                        "content": [{"type": "text", "text": "Salty"}],
                    },
                    {"type": "text", "text": "Go on"},
                ],
            },
        ],
        "stop_sequences": ["END"],
        "metadata": {"user_id": "u1"},
        "tools": [{"name": "look_up", "description": "Looks up", "input_schema": SCHEMA}],
        "tool_choice": {"type": "tool", "name": "look_up", "disable_parallel_tool_use": True},
    }
    MESSAGES.read(json.dumps(request).encode())


def test_responses_are_asked_of_a_chat_upstream() -> None:
    chat = RESPONSES_OVER_CHAT.forward(
        asked(
            RESPONSES,
            model="m",
            instructions="Be kind",
            input=[
                {
                    "role": "user",
                    "content": [
                        {"type": "input_text", "text": "What is it?"},
                        {"type": "input_image", "image_url": PICTURE},
                    ],
                },
                {
                    "type": "message",
                    "role": "assistant",
                    "content": [{"type": "output_text", "text": "I look.", "annotations": []}],
                },
                {
                    "type": "function_call",
                    "call_id": "call_1",
                    "name": "look_up",
                    "arguments": '{"word":"sea"}',
                },
                {"type": "function_call_output", "call_id": "call_1", "output": "Salty"},
                {"role": "user", "content": "Go on"},
            ],
            tools=[{"type": "function", **CHAT_TOOL["function"]}],  # type: ignore[dict-item]
            tool_choice="required",
            max_output_tokens=99,
            reasoning={"effort": "low"},
            text={"format": {"type": "json_schema", "name": "n", "schema": SCHEMA}},
            store=False,
        ),
        TO,
    )
    image = {"type": "image_url", "image_url": {"url": PICTURE, "detail": "auto"}}
    messages: list[Any] = json.loads(json.dumps(CHAT_MESSAGES))
    messages[1]["content"][1] = image
    assert chat == {
        "model": "their-own-name",
        "messages": messages,
        "max_completion_tokens": 99,
        "tools": [CHAT_TOOL],
        "tool_choice": "required",
        "reasoning_effort": "low",
        "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": SCHEMA}},
    }
    CHAT.read(json.dumps(chat).encode())


CHAT_ANSWER = chat_answers.whole(
    usage={
        "prompt_tokens": 151,
        "completion_tokens": 9,
        "prompt_tokens_details": {"cached_tokens": 100},
    },
    choices=[
        {
            "index": 0,
            "finish_reason": "tool_calls",
            "message": {
                "role": "assistant",
                "reasoning_content": "Be kind.",
                "content": "Hello there",
                "tool_calls": [CHAT_CALL],
            },
        }
    ],
)


def chat_delta(**delta: Any) -> bytes:
    return chat_answers.chunk(choices=[{"index": 0, "delta": delta, "finish_reason": None}])


def chat_call(index: int, arguments: str, **more: Any) -> bytes:
    function = {"arguments": arguments, **({"name": more.pop("name")} if "name" in more else {})}
    return chat_delta(tool_calls=[{"index": index, "function": function, **more}])


CHAT_STREAM = (
    chat_delta(role="assistant", content=""),
    chat_delta(reasoning_content="Be "),
    chat_delta(reasoning_content="kind."),
    chat_delta(content="Hello"),
    chat_delta(content=" there"),
    chat_call(0, "", id="call_1", type="function", name="look_up"),
    chat_call(0, '{"word":'),
    chat_call(0, '"sea"}'),
    chat_call(1, "{}", id="call_2", type="function", name="look_up"),
    chat_answers.chunk(choices=[{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]),
    chat_answers.chunk(choices=[], usage={"prompt_tokens": 50, "completion_tokens": 20}),
    chat_answers.DONE,
)
ASKED: Any = {"messages": [{"role": "user", "content": "hi"}], "model": "m", "max_tokens": 9}


def test_a_chat_answers_messages() -> None:
    answered = MESSAGES_OVER_CHAT.answer(asked(MESSAGES, **ASKED), CHAT_ANSWER)
    assert answered.document == {
        "id": "msg_c1",
        "type": "message",
        "role": "assistant",
        "model": "m",
        "content": [
            {"type": "thinking", "thinking": "Be kind.", "signature": ""},
            {"type": "text", "text": "Hello there"},
            CLAUDE_CALL,
        ],
        "stop_reason": "tool_use",
        "stop_sequence": None,
        "usage": {
            "input_tokens": 51,
            "cache_read_input_tokens": 100,
            "cache_creation_input_tokens": 0,
            "output_tokens": 9,
        },
    }
    assert answered.usage is not None
    assert (answered.usage.prompt, answered.usage.cached) == (151, 100)


@pytest.mark.slow  # to import their SDK takes two seconds
def test_a_chats_stream_answers_messages_one_block_after_another() -> None:
    from anthropic.lib.streaming._messages import accumulate_event
    from anthropic.types import RawMessageStreamEvent
    from pydantic import TypeAdapter

    events, reader = passed(MESSAGES_OVER_CHAT, asked(MESSAGES, **ASKED, stream=True), *CHAT_STREAM)
    kinds = [event["type"] for event in events if event["type"] != "content_block_delta"]
    assert kinds == [
        "message_start",
        *["content_block_start", "content_block_stop"] * 4,
        "message_delta",
        "message_stop",
    ]
    adapter: TypeAdapter[Any] = TypeAdapter(RawMessageStreamEvent)
    snapshot: Any = None
    json_bufs: dict[int, bytes] = {}
    for event in events:
        snapshot = accumulate_event(
            event=adapter.validate_python(event), current_snapshot=snapshot, json_bufs=json_bufs
        )
    assert snapshot is not None
    thought, text, first, second = snapshot.content
    assert (thought.type, text.type) == ("thinking", "text")
    assert (first.type, first.input) == ("tool_use", {"word": "sea"})
    assert (second.type, second.id) == ("tool_use", "call_2")
    assert (snapshot.stop_reason, snapshot.usage.output_tokens) == ("tool_use", 20)
    assert events[-2]["usage"]["input_tokens"] == 50
    assert reader.usage.quantities()["output_tokens"] == 20


def test_a_message_answers_chats() -> None:
    body = json.dumps(message_answers.message()).encode()
    answered = CHAT_OVER_MESSAGES.answer(asked(CHAT, **ASKED), body)
    (choice,) = answered.document["choices"]
    assert choice["finish_reason"] == "tool_calls"
    assert choice["message"] == {
        "role": "assistant",
        "content": "Hello there",
        "reasoning_content": "Be kind.",
        "tool_calls": [{**CHAT_CALL, "id": "toolu_1"}],
    }
    assert answered.document["usage"] == {
        "prompt_tokens": 151,
        "completion_tokens": 9,
        "total_tokens": 160,
        "prompt_tokens_details": {"cached_tokens": 100, "cache_write_tokens": 30},
    }
    assert answered.usage is not None
    assert dict(answered.usage.quantities()) == message_answers.USED


@pytest.mark.parametrize("include_usage", [True, False])
def test_a_messages_stream_answers_chats(include_usage: bool) -> None:
    asking = asked(CHAT, **ASKED, stream=True, stream_options={"include_usage": include_usage})
    chunks, reader = passed(CHAT_OVER_MESSAGES, asking, *message_answers.STREAM)
    deltas = [choice["delta"] for chunk in chunks for choice in chunk["choices"]]
    assert "".join(delta.get("content") or "" for delta in deltas) == "Hello there"
    assert "".join(delta.get("reasoning_content") or "" for delta in deltas) == "Be kind."
    calls = [call for delta in deltas for call in delta.get("tool_calls", [])]
    assert [call["index"] for call in calls] == [0, 0, 0]
    assert (calls[0]["id"], calls[0]["function"]["name"]) == ("toolu_1", "look_up")
    arguments = "".join(call["function"]["arguments"] for call in calls)
    assert json.loads(arguments) == {"word": "sea"}
    last = [choice["finish_reason"] for chunk in chunks for choice in chunk["choices"]][-1]
    assert last == "tool_calls"
    assert ("usage" in chunks[-1]) == include_usage
    assert not include_usage or chunks[-1]["usage"]["prompt_tokens"] == 151
    assert dict(reader.usage.quantities()) == message_answers.USED


def test_a_chat_answers_responses() -> None:
    from openai.types.responses import Response

    asking = asked(RESPONSES, model="m", input="hi", instructions="Be kind")
    answered = RESPONSES_OVER_CHAT.answer(asking, CHAT_ANSWER)
    response = Response.model_validate(answered.document)
    assert response.output_text == "Hello there"
    assert [item.type for item in response.output] == ["reasoning", "message", "function_call"]
    assert response.output[2].type == "function_call"
    assert response.output[2].arguments == '{"word":"sea"}'
    assert (response.status, response.instructions) == ("completed", "Be kind")
    assert response.usage is not None
    assert response.usage.input_tokens_details.cached_tokens == 100


def test_a_chats_stream_answers_responses() -> None:
    from openai.types.responses import ResponseStreamEvent
    from pydantic import TypeAdapter

    asking = asked(RESPONSES, model="m", input="hi", stream=True)
    events, _ = passed(RESPONSES_OVER_CHAT, asking, *CHAT_STREAM)
    adapter: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
    typed = [adapter.validate_python(event) for event in events]
    assert [event.sequence_number for event in typed] == list(range(len(typed)))
    assert typed[0].type == "response.created"
    assert typed[-1].type == "response.completed"
    texts = [event.delta for event in typed if event.type == "response.output_text.delta"]
    assert texts == ["Hello", " there"]
    added = [event for event in events if event["type"] == "response.output_item.added"]
    done = [event for event in events if event["type"] == "response.output_item.done"]
    assert [event["output_index"] for event in added] == [0, 1, 2, 3]
    assert [event["item"] for event in done] == events[-1]["response"]["output"]
    assert done[2]["item"]["arguments"] == '{"word":"sea"}'
    assert events[-1]["response"]["usage"]["output_tokens"] == 20


@pytest.mark.parametrize(
    ("finish", "stop_reason", "status"),
    [
        ("stop", "end_turn", "completed"),
        ("length", "max_tokens", "incomplete"),
        ("content_filter", "refusal", "incomplete"),
        ("something new", "end_turn", "completed"),
    ],
)
def test_the_reason_of_an_end_is_told(finish: str, stop_reason: str, status: str) -> None:
    message = {"role": "assistant", "content": "Hi"}
    body = chat_answers.whole(choices=[{"index": 0, "message": message, "finish_reason": finish}])
    as_message = MESSAGES_OVER_CHAT.answer(asked(MESSAGES, **ASKED), body)
    assert as_message.document["stop_reason"] == stop_reason
    as_response = RESPONSES_OVER_CHAT.answer(asked(RESPONSES, model="m", input="hi"), body)
    assert as_response.document["status"] == status


@pytest.mark.parametrize("adapter", [MESSAGES_OVER_CHAT, RESPONSES_OVER_CHAT])
def test_an_error_in_a_chat_is_one_in_translation_too(adapter: Protocol) -> None:
    asking = asked(adapter, **ASKED, input="hi")
    assert adapter.answer(asking, b'{"error": {"message": "x"}}').failure is not None
    assert adapter.answer(asking, b'{"choices": []}').failure is not None


def test_an_error_in_a_message_is_one_in_translation_too() -> None:
    body = b'{"type": "error", "error": {"type": "overloaded_error", "message": "x"}}'
    assert CHAT_OVER_MESSAGES.answer(asked(CHAT, **ASKED), body).failure is not None


def test_tools_that_the_rules_left_out_stay_out_of_a_translation() -> None:
    tool = {"type": "function", "function": {"name": "f"}}
    asking = asked(CHAT, model="m", messages=[{"role": "user", "content": "Hi"}], tools=[tool])
    document = {name: asking.document[name] for name in ("model", "messages")}
    sent = CHAT_OVER_MESSAGES.forward(replace(asking, document=document), TO)
    assert "tools" not in sent


@pytest.mark.parametrize(
    "tool", [{"type": "function", "function": "f"}, {"type": "function"}, {"name": "f"}]
)
def test_a_tool_that_is_none_is_left_to_the_provider_to_refuse(tool: dict[str, Any]) -> None:
    asking = asked(CHAT, model="m", messages=[{"role": "user", "content": "Hi"}], tools=[tool])
    (sent,) = CHAT_OVER_MESSAGES.forward(asking, TO)["tools"]
    assert "name" not in sent


@pytest.mark.parametrize("block", [{"type": "text"}, {"type": "text", "text": 5}])
def test_a_text_that_is_none_is_kept_as_it_is(block: dict[str, Any]) -> None:
    result = {"type": "tool_result", "tool_use_id": "t", "content": [block]}
    for content in ([block], [result]):
        asking = asked(
            MESSAGES, model="m", messages=[{"role": "user", "content": content}], max_tokens=5
        )
        sent = MESSAGES_OVER_CHAT.forward(asking, TO)["messages"]
        assert [block] in [message["content"] for message in sent]


def test_a_completion_is_limited_by_the_one_name_that_bounded_it() -> None:
    asking = asked(COMPLETIONS, model="m", prompt="Hi", max_tokens=5, n_predict=9_000)
    sent = COMPLETIONS.forward(asking, replace(TO, output_cap=100))
    assert sent == {"model": TO.model, "prompt": "Hi", "max_tokens": 5}
    asking = asked(COMPLETIONS, model="m", prompt="Hi", max_completion_tokens=9_000)
    sent = COMPLETIONS.forward(asking, replace(TO, output_cap=100))
    assert sent == {"model": TO.model, "prompt": "Hi", "max_tokens": 100}
