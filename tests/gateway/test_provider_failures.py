"""Whatever a provider does, a call is one event with the right quantities, and the caller is told.

The provider is a real HTTP server that answers as it is told: a good one can't be made to fail so.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI

from backend.metering.tokens.encodings import encoding
from backend.metering.tokens.local import TiktokenCounter
from tests.gateway.chat_answers import (
    ASKED,
    ASKED_TOKENS,
    DONE,
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
from tests.gateway.conftest import Metered, OpenClient
from tests.support.flaky import FlakyServer, Reply
from tests.support.waiting import until

pytestmark = pytest.mark.engine

Counted = Callable[[int], Awaitable[list[Metered]]]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("reply", "raises", "code"),
    [
        (Reply(500, b"<html>"), openai.InternalServerError, "upstream_failed"),
        (Reply(503, b'{"error": {}}'), openai.InternalServerError, "upstream_failed"),
        (
            Reply(401, b'{"error": {"message": "Incorrect API key provided: sk-theirs"}}'),
            openai.InternalServerError,
            "upstream_failed",
        ),
        (
            Reply(404, b'{"error": {"message": "no model their-own-name"}}'),
            openai.InternalServerError,
            "upstream_failed",
        ),
        (
            Reply(429, b'{"error": {"message": "Pay us", "code": "insufficient_quota"}}'),
            openai.InternalServerError,
            "upstream_failed",
        ),
        (
            Reply(
                400, b'{"error": {"message": "their bill", "code": "billing_hard_limit_reached"}}'
            ),
            openai.InternalServerError,
            "upstream_failed",
        ),
        (
            Reply(400, b'{"error": {"message": "their credit balance is too low to go on"}}'),
            openai.InternalServerError,
            "upstream_failed",
        ),
        (
            Reply(400, b'{"error": {"message": "No such role", "param": "messages", "code": "x"}}'),
            openai.BadRequestError,
            "x",
        ),
        (
            Reply(
                500,
                b'{"error": {"code": 500, "type": "server_error", "message":'
                b' "image input is not supported - hint: you may need to provide their mmproj"}}',
            ),
            openai.BadRequestError,
            "upstream_refused",
        ),
        (Reply(drops=True), openai.InternalServerError, "upstream_failed"),
    ],
    ids=[
        *("500", "503", "401", "404", "their bill", "hard limit", "no credit", "400"),
        *("no pictures", "dropped"),
    ],
)
async def test_a_refused_call_bills_nothing_and_is_on_record(
    client: AsyncOpenAI,
    provider: FlakyServer,
    metered: Counted,
    reply: Reply,
    raises: type[openai.APIStatusError],
    code: str,
    stream: bool,
) -> None:
    provider.replies = [reply]
    with pytest.raises(raises) as raised:
        await ask(client, stream=stream)
    assert raised.value.code == code
    assert "their" not in raised.value.message
    (event,) = await metered(1)
    assert event.quantities == NOTHING
    assert event.labels["status"] == "failed"
    if code == "x":
        assert raised.value.message == "Error code: 400 - No such role"
        assert raised.value.param == "messages"


@pytest.mark.parametrize("stream", [False, True])
async def test_a_busy_provider_says_when_to_come_again(
    client: AsyncOpenAI, provider: FlakyServer, metered: Counted, stream: bool
) -> None:
    provider.replies = [Reply(429, b"{}", {"retry-after": "7"})]
    with pytest.raises(openai.RateLimitError) as raised:
        await ask(client, stream=stream)
    assert raised.value.response.headers["retry-after"] == "7"
    assert "x-should-retry" not in raised.value.response.headers
    assert [event.quantities for event in await metered(1)] == [NOTHING]


async def test_the_sdk_tries_again_and_each_try_is_an_event_of_its_own(
    open_client: OpenClient, client: AsyncOpenAI, provider: FlakyServer, metered: Counted
) -> None:
    provider.replies = [Reply(503), Reply(429, b"{}", {"retry-after": "0"}), Reply(body=whole())]
    patient = open_client(client.api_key, max_retries=2)
    assert (await ask(patient)).choices[0].message.content == "Hello there"
    failed, busy, done = await metered(3)
    assert [failed.quantities, busy.quantities] == [NOTHING, NOTHING]
    assert done.quantities["requests"] == 1


@pytest.mark.parametrize("stream", [False, True])
async def test_a_provider_that_does_not_answer_in_time(
    client: AsyncOpenAI, provider: FlakyServer, metered: Counted, stream: bool
) -> None:
    provider.replies = [Reply(hangs=True)]
    with pytest.raises(openai.InternalServerError, match="in time"):
        await ask(client, stream=stream)
    assert [event.quantities for event in await metered(1)] == [NOTHING]


@pytest.mark.parametrize("body", [b"not json", b"[]", b"", b'"text"'])
async def test_an_answer_that_can_not_be_read(
    client: AsyncOpenAI, provider: FlakyServer, metered: Counted, body: bytes
) -> None:
    provider.replies = [Reply(body=body)]
    with pytest.raises(openai.InternalServerError):
        await ask(client)
    assert [event.quantities for event in await metered(1)] == [NOTHING]


@pytest.mark.parametrize(
    ("usage", "quantities"),
    [
        (USAGE, USED),
        ({"prompt_tokens": 0, "completion_tokens": 0}, {"requests": 1}),
        (
            USAGE
            | {
                "prompt_tokens_details": {"cached_tokens": 30},
                "completion_tokens_details": {"reasoning_tokens": 15},
            },
            {
                "requests": 1,
                "input_tokens": 20,
                "cached_input_tokens": 30,
                "output_tokens": 5,
                "reasoning_tokens": 15,
            },
        ),
        # More than the whole can't be a part of it
        (USAGE | {"prompt_tokens_details": {"cached_tokens": 70}}, {"cached_input_tokens": 50}),
        (USAGE | {"prompt_tokens_details": None, "completion_tokens_details": {}}, USED),
        # The total tells what can't be read
        (USAGE | {"completion_tokens": -5}, USED),
    ],
    ids=["plain", "zero", "parts", "too large a part", "no parts", "negative"],
)
@pytest.mark.parametrize("stream", [False, True])
async def test_the_providers_report_is_what_bills_and_each_token_counts_once(
    client: AsyncOpenAI,
    provider: FlakyServer,
    metered: Counted,
    usage: dict[str, Any],
    quantities: dict[str, int],
    stream: bool,
) -> None:
    if stream:
        last = chunk(choices=[], usage=usage)
        provider.replies = [streamed(said("Hello there", "stop"), last, DONE)]
        assert await listen(client) == "Hello there"
    else:
        provider.replies = [Reply(body=whole(usage=usage))]
        assert (await ask(client)).usage is not None
    (event,) = await metered(1)
    if "input_tokens" not in quantities and "cached_input_tokens" in quantities:
        quantities = {"requests": 1, "cached_input_tokens": 50, "output_tokens": 20}
    assert event.quantities == quantities
    assert event.labels == {"status": "completed", "usage_source": "provider"}
    # The local count stands beside it, for the drift
    assert event.counted == {"requests": 1, "input_tokens": ASKED_TOKENS, "output_tokens": 2}


@pytest.mark.parametrize("usage", [USAGE, None])
async def test_a_tokenizer_that_fails_takes_no_call_off_the_bill(
    client: AsyncOpenAI,
    provider: FlakyServer,
    metered: Counted,
    monkeypatch: pytest.MonkeyPatch,
    usage: dict[str, int] | None,
) -> None:
    """By a panic of its native code, say, which the caller's own text may bring about."""

    def panic(*_: object) -> int:
        return len(encoding("o200k_base").encode_ordinary(" " * 1_200_000))

    monkeypatch.setattr(TiktokenCounter, "count_chat", panic)
    monkeypatch.setattr(TiktokenCounter, "count_text", panic)
    provider.replies = [Reply(body=whole(usage=usage))]
    await ask(client)
    (event,) = await metered(1)
    if usage is None:
        # The provider has no tokenizer either: counted by what stands in for it
        assert event.quantities == {"requests": 1, "input_tokens": 2, "output_tokens": 2}
    else:
        assert event.quantities == USED
    assert event.counted is None or usage is None


@pytest.mark.parametrize("usage", [None, {}, {"prompt_tokens": None}, {"prompt_tokens": "x"}, []])
@pytest.mark.parametrize("stream", [False, True])
async def test_where_no_usage_is_reported_the_local_count_bills(
    client: AsyncOpenAI, provider: FlakyServer, metered: Counted, usage: object, stream: bool
) -> None:
    if stream:
        provider.replies = [streamed(said("Hello"), said(" there", "stop", usage=usage), DONE)]
        assert await listen(client) == "Hello there"
    else:
        provider.replies = [Reply(body=whole(usage=usage))]
        await ask(client)
    (event,) = await metered(1)
    assert event.quantities == {"requests": 1, "input_tokens": ASKED_TOKENS, "output_tokens": 2}
    assert event.labels == {"status": "completed", "usage_source": "local"}


async def test_usage_that_runs_along_with_the_chunks_counts_once(
    client: AsyncOpenAI, provider: FlakyServer, metered: Counted
) -> None:
    running = {"prompt_tokens": 50, "completion_tokens": 10}
    provider.replies = [
        streamed(said("Hello", usage=running), said(" there", "stop", usage=USAGE), DONE)
    ]
    assert await listen(client) == "Hello there"
    assert [event.quantities for event in await metered(1)] == [USED]


@pytest.mark.parametrize("way", ["cut", "error", "garbage", "ends"])
async def test_a_stream_that_breaks_is_told_and_bills_what_was_said(
    client: AsyncOpenAI, provider: FlakyServer, metered: Counted, way: str
) -> None:
    first = said("Hello")
    replies = {
        "cut": streamed(first, said(" there"), cut=len(first)),
        "error": streamed(first, chunk(error={"message": "their GPU 7 burns", "code": 500}), DONE),
        "garbage": streamed(first, b"data: {not json\n\n", DONE),
        "ends": streamed(first),
    }
    provider.replies = [replies[way]]
    stream = await ask(client, stream=True)
    heard = await anext(stream)
    assert heard.choices[0].delta.content == "Hello"
    with pytest.raises(openai.APIError) as raised:
        await anext(stream)
    assert "GPU" not in raised.value.message
    (event,) = await metered(1)
    assert event.quantities == {"requests": 1, "input_tokens": ASKED_TOKENS, "output_tokens": 1}
    assert event.labels == {"status": "failed", "usage_source": "local"}


async def test_a_stream_without_its_last_word_is_complete_if_the_answer_is(
    client: AsyncOpenAI, provider: FlakyServer, metered: Counted
) -> None:
    provider.replies = [streamed(said("Hello there", "stop"), chunk(choices=[], usage=USAGE))]
    assert await listen(client) == "Hello there"
    (event,) = await metered(1)
    assert (event.quantities, event.labels["status"]) == (USED, "completed")


@pytest.mark.parametrize("usage", [None, USAGE])
async def test_a_call_that_its_caller_left_bills_what_had_come(
    client: AsyncOpenAI, provider: FlakyServer, metered: Counted, usage: dict[str, int] | None
) -> None:
    first = said("Hello there", usage=usage)
    provider.replies = [streamed(first, said(" and more", "stop"), DONE, stalls=len(first))]
    stream = await ask(client, stream=True)
    async for _ in stream:
        break
    await stream.close()
    (event,) = await metered(1)
    counted = {"requests": 1, "input_tokens": ASKED_TOKENS, "output_tokens": 2}
    assert event.quantities == (counted if usage is None else USED)
    assert event.labels["status"] == "aborted"


async def test_a_call_whose_caller_left_before_the_first_word_bills_its_prompt(
    client: AsyncOpenAI, provider: FlakyServer, metered: Counted
) -> None:
    provider.replies = [streamed(said("Hello", "stop"), DONE, stalls=0)]
    asking = asyncio.create_task(listen(client))

    async def asked() -> bool:
        return bool(provider.seen)

    await until(asked)
    asking.cancel()
    (event,) = await metered(1)
    assert event.quantities == {"requests": 1, "input_tokens": ASKED_TOKENS}
    assert event.labels == {"status": "aborted", "usage_source": "local"}


async def test_an_answer_of_any_shape_is_metered(
    client: AsyncOpenAI, provider: FlakyServer, metered: Counted
) -> None:
    odd = [
        {"choices": [7, {"message": "Hi"}, {"message": {"content": 5, "tool_calls": 3}}]},
        {"choices": [{"message": {"tool_calls": [1, {"function": {"name": 5}}]}}]},
    ]
    provider.replies = [Reply(body=json.dumps(body).encode()) for body in odd]
    for _ in odd:
        await client.post("/chat/completions", cast_to=object, body={**REQUEST, "seed": 1})
    for event in await metered(len(odd)):
        assert event.quantities["requests"] == 1


REQUEST = {"model": "sample-small", "messages": ASKED}


async def test_what_goes_to_the_provider_is_the_request_and_no_credential(
    client: AsyncOpenAI, provider: FlakyServer, metered: Counted
) -> None:
    provider.replies = [Reply(body=whole(usage=USAGE)), streamed(said("Hi", "stop"), DONE)]
    extra = {"seed": 7, "an_option_of_theirs": {"deep": [1.5, None]}}
    await ask(client, temperature=0.25, extra_body=extra)
    await listen(client)
    plain, stream = (json.loads(request.body) for request in provider.seen)
    assert plain == {
        "model": "their-own-name",
        "messages": ASKED,
        "temperature": 0.25,
        "max_completion_tokens": 16_384,  # the model's, since the free plan's quota is hard
        **extra,
    }
    assert stream["stream_options"] == {"include_usage": True}
    for request in provider.seen:
        assert client.api_key not in str(request.headers)
    assert len(await metered(2)) == 2


async def test_requests_are_whole_numbers_of_calls(
    client: AsyncOpenAI, provider: FlakyServer, metered: Counted
) -> None:
    provider.replies = [Reply(body=whole(usage=USAGE))]
    await asyncio.gather(*(ask(client) for _ in range(25)))
    events = await metered(25)
    assert len(events) == 25
    assert sum(event.quantities["requests"] for event in events) == Decimal(25)
