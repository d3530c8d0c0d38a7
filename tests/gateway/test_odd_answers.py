"""Answers as providers really send them: errors in a 200, whole ones to streams, odd bytes."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import openai
import pytest
from openai import AsyncOpenAI

from backend.kit.tls import tls_context
from tests.gateway.chat_answers import (
    ASKED,
    ASKED_TOKENS,
    DONE,
    EVENT_STREAM,
    NOTHING,
    USAGE,
    USED,
    ask,
    chunk,
    listen,
    said,
    streamed,
    whole,
)
from tests.gateway.conftest import MakeKey, Metered
from tests.support.flaky import FlakyServer, Reply

pytestmark = pytest.mark.engine

Counted = Callable[[int], Awaitable[list[Metered]]]
SECRET = {"message": "Key sk-upstream of org-operator is over its limit", "code": 502}
FINISHED_BY_ERROR = {"index": 0, "message": {"content": "Hel"}, "finish_reason": "error"}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    "body",
    [
        {"error": SECRET, "user_id": "org-operator"},
        {"object": "error", **SECRET},
        {},
        {"id": "c1", "choices": []},
        {"choices": 5},
        {"choices": [FINISHED_BY_ERROR]},
        {"choices": [{"index": 0, "error": SECRET, "message": {"content": ""}}]},
    ],
    ids=["error", "vLLM's", "empty", "no choice", "a number", "finished by it", "in a choice"],
)
async def test_an_error_in_a_200_is_an_error_that_bills_nothing_and_keeps_its_words(
    client: AsyncOpenAI, provider: FlakyServer, metered: Counted, body: dict[str, Any], stream: bool
) -> None:
    provider.replies = [Reply(body=json.dumps(body).encode())]
    with pytest.raises(openai.APIError) as raised:
        await (listen(client) if stream else ask(client))
    assert "sk-upstream" not in str(raised.value.body)
    assert "org-operator" not in str(raised.value.body)
    (event,) = await metered(1)
    assert (event.quantities, event.labels["status"]) == (NOTHING, "failed")


async def test_an_error_event_without_its_member_is_an_error(
    client: AsyncOpenAI, provider: FlakyServer, metered: Counted
) -> None:
    failure = b"event: error\ndata: " + json.dumps(SECRET).encode() + b"\n\n"
    provider.replies = [streamed(said("Hello"), failure, DONE)]
    with pytest.raises(openai.APIError) as raised:
        await listen(client)
    assert "sk-upstream" not in str(raised.value.body)
    (event,) = await metered(1)
    assert event.quantities == {"requests": 1, "input_tokens": ASKED_TOKENS, "output_tokens": 1}
    assert event.labels["status"] == "failed"


async def test_a_chunk_that_is_not_known_does_not_go_on(
    client: AsyncOpenAI, provider: FlakyServer, metered: Counted
) -> None:
    notice = b'data: {"notice": "org-operator"}\n\n'
    provider.replies = [streamed(notice, said("Hello there", "stop", usage=USAGE), DONE)]
    chunks = [piece async for piece in await ask(client, stream=True)]
    assert [choice.delta.content for piece in chunks for choice in piece.choices] == ["Hello there"]
    assert not any(hasattr(piece, "notice") for piece in chunks)
    assert [event.quantities for event in await metered(1)] == [USED]


@pytest.mark.parametrize("stream", [False, True])
async def test_an_answer_with_another_status_of_success_is_one(
    client: AsyncOpenAI, provider: FlakyServer, metered: Counted, stream: bool
) -> None:
    provider.replies = [Reply(201, whole(usage=USAGE))]
    if stream:
        assert await listen(client) == "Hello there"
    else:
        assert (await ask(client)).choices[0].message.content == "Hello there"
    assert [event.quantities for event in await metered(1)] == [USED]


async def test_a_whole_answer_to_a_stream_is_streamed(
    client: AsyncOpenAI, provider: FlakyServer, metered: Counted
) -> None:
    function = {"name": "look_up", "arguments": "{}"}
    tool_calls = [{"id": "t1", "type": "function", "function": function}]
    message = {"role": "assistant", "content": None, "tool_calls": tool_calls}
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls"}
    provider.replies = [Reply(body=whole(choices=[choice], usage=USAGE))]
    stream = await ask(client, stream=True, stream_options={"include_usage": True})
    called, counted = [piece async for piece in stream]
    assert called.choices[0].delta.tool_calls[0].function.name == "look_up"
    assert called.choices[0].delta.tool_calls[0].index == 0
    assert called.choices[0].finish_reason == "tool_calls"
    assert (called.usage, counted.usage.prompt_tokens) == (None, 50)
    assert [event.quantities for event in await metered(1)] == [USED]


@pytest.mark.parametrize(
    "stream",
    [
        b"\xef\xbb\xbf" + said("Hello there", "stop", usage=USAGE) + DONE,
        (said("Hello") + said(" there", "stop", usage=USAGE) + DONE).replace(b"\n", b"\r"),
        said("Hello there", "stop", usage=USAGE).replace(b', "', b',\ndata: "') + DONE,
        said("Hello").rstrip()
        + b"\n"
        + said(" there", "stop", usage=USAGE).rstrip()
        + b"\n"
        + DONE,
    ],
    ids=["BOM", "CR", "many lines", "no empty line between"],
)
async def test_a_stream_of_odd_lines_is_read(
    client: AsyncOpenAI, provider: FlakyServer, metered: Counted, stream: bytes
) -> None:
    provider.replies = [streamed(stream)]
    assert await listen(client) == "Hello there"
    assert [event.quantities for event in await metered(1)] == [USED]


@pytest.mark.parametrize("odd", ['"\\ud83d"', "NaN"])
@pytest.mark.parametrize("stream", [False, True])
async def test_json_that_strict_parsers_refuse_is_served_and_billed(
    client: AsyncOpenAI, provider: FlakyServer, metered: Counted, odd: str, stream: bool
) -> None:
    answer = said("Hello there", "stop", usage=USAGE, odd="<>") + DONE
    body = answer if stream else whole(usage=USAGE, odd="<>")
    headers = EVENT_STREAM if stream else {}
    provider.replies = [Reply(body=body.replace(b'"<>"', odd.encode()), headers=headers)]
    if stream:
        assert await listen(client) == "Hello there"
    else:
        assert (await ask(client)).choices[0].message.content == "Hello there"
    assert [event.quantities for event in await metered(1)] == [USED]


async def test_a_zero_after_a_report_does_not_erase_it(
    client: AsyncOpenAI, provider: FlakyServer, metered: Counted
) -> None:
    zero = chunk(choices=[], usage={"prompt_tokens": 0, "completion_tokens": 0})
    provider.replies = [streamed(said("Hello there", "stop", usage=USAGE), zero, DONE)]
    await listen(client)
    assert [event.quantities for event in await metered(1)] == [USED]


@pytest.mark.parametrize(
    ("usage", "input_tokens", "output_tokens"),
    [
        (USAGE | {"prompt_tokens": 9 * 10**18}, ASKED_TOKENS, 20),
        (USAGE | {"completion_tokens": 100_000}, 50, 2),
    ],
)
async def test_a_report_that_can_not_be_true_is_counted_here(
    client: AsyncOpenAI,
    provider: FlakyServer,
    metered: Counted,
    usage: dict[str, int],
    input_tokens: int,
    output_tokens: int,
) -> None:
    provider.replies = [Reply(body=whole(usage=usage))]
    await ask(client)
    (event,) = await metered(1)
    counted = {"requests": 1, "input_tokens": input_tokens, "output_tokens": output_tokens}
    assert (event.quantities, event.labels["usage_source"]) == (counted, "local")


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    "message",
    [
        {"reasoning": "Hello there"},
        {"reasoning_content": "Hello there"},
        {"reasoning": "Hello there", "reasoning_content": "Hello there"},
        {"function_call": {"name": "Hello", "arguments": " there"}},
        {"audio": {"transcript": "Hello there"}},
        {"content": [{"type": "text", "text": "Hello there"}]},
    ],
    ids=["vLLM", "DeepSeek", "both", "function", "sound", "parts"],
)
async def test_all_that_a_model_says_is_counted(
    client: AsyncOpenAI,
    provider: FlakyServer,
    metered: Counted,
    message: dict[str, Any],
    stream: bool,
) -> None:
    choice = {"index": 0, "finish_reason": "stop"}
    if stream:
        provider.replies = [streamed(chunk(choices=[{**choice, "delta": message}]), DONE)]
        _ = [piece async for piece in await ask(client, stream=True)]
    else:
        provider.replies = [Reply(body=whole(choices=[{**choice, "message": message}]))]
        await ask(client)
    (event,) = await metered(1)
    assert event.quantities == {"requests": 1, "input_tokens": ASKED_TOKENS, "output_tokens": 2}


async def test_the_last_report_of_an_answer_that_broke_off_is_no_less_than_what_was_said(
    client: AsyncOpenAI, provider: FlakyServer, metered: Counted
) -> None:
    running = {"prompt_tokens": 50, "completion_tokens": 1}
    provider.replies = [streamed(said("Hello", usage=running), said(" there, you all"))]
    with pytest.raises(openai.APIError):
        await listen(client)
    (event,) = await metered(1)
    assert event.quantities == {"requests": 1, "input_tokens": 50, "output_tokens": 5}


async def test_the_providers_keep_alives_go_on(
    url: str, make_key: MakeKey, provider: FlakyServer, metered: Counted
) -> None:
    ping = b": ping\n\n"
    last = said(" there", "stop", usage=USAGE)
    provider.replies = [streamed(said("Hello"), ping, ping, last, DONE)]
    headers = {"authorization": f"Bearer {await make_key()}"}
    request = {"model": "sample-small", "messages": ASKED, "stream": True}
    async with httpx.AsyncClient(verify=tls_context()) as http:
        answer = await http.post(f"{url}/v1/chat/completions", headers=headers, json=request)
    assert answer.text.count(": keep-alive\n\n") == 2
    assert [event.quantities for event in await metered(1)] == [USED]
