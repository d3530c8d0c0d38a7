"""OpenAI's completions, embeddings and responses by its own SDK; the provider speaks the same."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI

from tests.gateway.chat_answers import NOTHING, USAGE, USED
from tests.gateway.chat_answers import streamed as streamed_reply
from tests.gateway.conftest import Metered
from tests.gateway.response_answers import RESPONSE, RESPONSE_USED, STREAM, response
from tests.gateway.response_answers import event as response_event
from tests.support.flaky import FlakyServer, Reply

pytestmark = pytest.mark.engine

Counted = Callable[[int], Awaitable[list[Metered]]]
MODEL = "sample-small"


async def respond(client: AsyncOpenAI) -> list[Any]:
    """Ask for a response, and return its events."""
    return [
        event async for event in await client.responses.create(model=MODEL, input="Hi", stream=True)
    ]


async def test_a_text_is_completed(
    client: AsyncOpenAI, provider: FlakyServer, metered: Counted
) -> None:
    answer = {"id": "c", "object": "text_completion", "created": 1, "model": "their-own-name"}
    choice = {"index": 0, "text": "a time", "finish_reason": "stop", "logprobs": None}
    whole = {**answer, "choices": [choice], "usage": USAGE}
    chunks = [
        {**answer, "choices": [{**choice, "text": "a ", "finish_reason": None}]},
        {**answer, "choices": [{**choice, "text": "time"}]},
    ]
    stream = b"".join(b"data: " + json.dumps(chunk).encode() + b"\n\n" for chunk in chunks)
    provider.replies = [
        Reply(body=json.dumps(whole).encode()),
        streamed_reply(stream, b"data: [DONE]\n\n"),
    ]
    completed = await client.completions.create(model=MODEL, prompt="Once upon")
    assert (completed.choices[0].text, completed.model) == ("a time", MODEL)
    pieces = await client.completions.create(model=MODEL, prompt="Once upon", stream=True)
    said = [piece.choices[0].text async for piece in pieces]
    assert said == ["a ", "time"]
    first, second = (json.loads(request.body) for request in provider.seen)
    assert first == {
        "model": "their-own-name",
        "prompt": "Once upon",
        "max_tokens": 16_384,  # the model's, since the free plan's quota is hard
    }
    assert second["stream_options"] == {"include_usage": True}
    assert provider.seen[0].path == "/v1/completions"
    reported, counted = await metered(2)
    assert reported.quantities == USED
    assert counted.quantities == {"requests": 1, "input_tokens": 2, "output_tokens": 2}


async def test_a_prompt_of_tokens_is_counted_where_the_provider_reports_nothing(
    client: AsyncOpenAI, provider: FlakyServer, metered: Counted
) -> None:
    choice = {"index": 0, "text": "a time", "finish_reason": "stop", "logprobs": None}
    whole = {"id": "c", "object": "text_completion", "created": 1, "choices": [choice]}
    vectors = {"object": "list", "data": [{"index": 0, "embedding": [0.5]}]}
    provider.replies = [Reply(body=json.dumps(body).encode()) for body in (whole, vectors)]
    await client.completions.create(model=MODEL, prompt=[7, 8, 9])
    await client.embeddings.create(model=MODEL, input=[[7, 8, 9], [1, 2]], encoding_format="float")
    completed, embedded = await metered(2)
    assert completed.quantities == {"requests": 1, "input_tokens": 3, "output_tokens": 2}
    assert embedded.quantities == {"requests": 1, "input_tokens": 5}


async def test_texts_are_embedded(
    client: AsyncOpenAI, provider: FlakyServer, metered: Counted
) -> None:
    vector = {"object": "embedding", "index": 0, "embedding": [0.25, -0.125]}
    answer = {"object": "list", "data": [vector], "model": "their-own-name"}
    used = {"prompt_tokens": 8, "total_tokens": 8}
    provider.replies = [
        Reply(body=json.dumps({**answer, "usage": used}).encode()),
        Reply(body=json.dumps(answer).encode()),
    ]
    embedded = await client.embeddings.create(model=MODEL, input="A text", encoding_format="float")
    assert embedded.data[0].embedding == [0.25, -0.125]
    await client.embeddings.create(model=MODEL, input=["A text", "Two"], encoding_format="float")
    assert json.loads(provider.seen[0].body)["model"] == "their-own-name"
    reported, counted = await metered(2)
    assert reported.quantities == {"requests": 1, "input_tokens": 8}
    assert counted.quantities == {"requests": 1, "input_tokens": 3}


@pytest.mark.parametrize("given", [[], [1.5], ["a", 1], {"a": 1}, None])
async def test_what_can_not_be_embedded_is_named(client: AsyncOpenAI, given: Any) -> None:
    with pytest.raises(openai.BadRequestError) as raised:
        await client.embeddings.create(model=MODEL, input=given, encoding_format="float")
    assert raised.value.param == "input"


async def test_a_response_is_served(
    client: AsyncOpenAI, provider: FlakyServer, metered: Counted
) -> None:
    provider.replies = [Reply(body=json.dumps(RESPONSE).encode())]
    answer = await client.responses.create(model=MODEL, input="Say hello", instructions="Be kind")
    assert (answer.output_text, answer.model) == ("Hello there", MODEL)
    assert provider.seen[0].path == "/v1/responses"
    assert json.loads(provider.seen[0].body) == {
        "model": "their-own-name",
        "input": "Say hello",
        "instructions": "Be kind",
        "max_output_tokens": 16_384,
        "store": False,  # providers keep what does not say so
    }
    assert [event.quantities for event in await metered(1)] == [RESPONSE_USED]


@pytest.mark.parametrize("as_stream", [True, False])
async def test_a_response_is_streamed(
    client: AsyncOpenAI, provider: FlakyServer, metered: Counted, as_stream: bool
) -> None:
    """Also where the provider answers in one piece."""
    provider.replies = [
        streamed_reply(*STREAM) if as_stream else Reply(body=json.dumps(RESPONSE).encode())
    ]
    async with client.responses.stream(model=MODEL, input="Say hello") as stream:
        said = [event.delta async for event in stream if event.type == "response.output_text.delta"]
        final = await stream.get_final_response()
    assert "".join(said) == "Hello there"
    assert (final.output_text, final.model) == ("Hello there", MODEL)
    assert [event.quantities for event in await metered(1)] == [RESPONSE_USED]


FAILED = response(status="failed", output=[], error={"code": "x", "message": "sk-theirs"})


async def test_a_response_that_failed_bills_nothing_and_keeps_its_words(
    client: AsyncOpenAI, provider: FlakyServer, metered: Counted
) -> None:
    provider.replies = [Reply(body=json.dumps(FAILED).encode())]
    with pytest.raises(openai.InternalServerError) as raised:
        await client.responses.create(model=MODEL, input="Hi")
    assert "sk-theirs" not in str(raised.value.body)
    assert [event.quantities for event in await metered(1)] == [NOTHING]


async def test_a_response_that_breaks_off_says_so_and_bills_what_was_said(
    client: AsyncOpenAI, provider: FlakyServer, metered: Counted
) -> None:
    unreported = response_event(5, "response.failed", response=FAILED | {"usage": None})
    provider.replies = [streamed_reply(*STREAM[:5]), streamed_reply(*STREAM[:5], unreported)]
    for _ in range(2):
        *_, said, last = await respond(client)
        assert (said.delta, last.type, last.code) == ("Hello", "error", "upstream_failed")
        assert "sk-theirs" not in last.message
    for event in await metered(2):
        assert event.quantities == {"requests": 1, "input_tokens": 8, "output_tokens": 1}
        assert event.labels == event.labels | {"status": "failed", "usage_source": "local"}


async def test_a_response_that_fails_late_bills_what_its_provider_reports(
    client: AsyncOpenAI, provider: FlakyServer, metered: Counted
) -> None:
    """Also what was thought, of which nothing was said."""
    failed = response_event(5, "response.failed", response=FAILED)
    provider.replies = [streamed_reply(*STREAM[:5], failed)]
    assert (await respond(client))[-1].type == "error"
    (event,) = await metered(1)
    assert event.quantities == RESPONSE_USED
    assert event.labels == event.labels | {"status": "failed", "usage_source": "provider"}


async def test_a_route_that_is_not_there_says_what_is(client: AsyncOpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match="POST /v1/chat/completions"):
        await client.files.list()
    with pytest.raises(openai.NotFoundError, match="There is no GET /v1/responses/resp_1 here"):
        await client.responses.retrieve("resp_1")
    with pytest.raises(openai.APIStatusError, match="There is no GET /v1/embeddings here"):
        await client.get("/embeddings", cast_to=object)


async def test_a_model_says_what_it_takes_and_costs(client: AsyncOpenAI) -> None:
    model = (await client.models.retrieve(MODEL)).model_dump()
    assert model["object"] == "model"
    assert model["name"]
    assert model["created"] > 1_700_000_000  # when it was put on sale here
    assert model["context_window"] == model["context_length"] > 0
    assert model["max_output_tokens"] == 16_384
    assert "prompt" in model.get("pricing", {"prompt": None})
