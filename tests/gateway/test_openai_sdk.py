"""OpenAI's Python SDK, unmodified, against the gateway and the local model."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from openai import AsyncOpenAI, OpenAI

from backend.api.app import create_app
from backend.engines.model import MODEL
from backend.metering.tokens import registry, tokenizer_for
from backend.metering.tokens.tokenizer import LocalTokenizer
from backend.settings import Settings
from tests.gateway.conftest import MakeKey, Metered
from tests.support.waiting import until

pytestmark = pytest.mark.engine

Counted = Callable[[int], Awaitable[list[Metered]]]
ASKED = [{"role": "user", "content": "Name three colors."}]


def tokens(event: Metered) -> tuple[int, int]:
    """Tokens in and out, cached and reasoning ones included."""
    quantities = {meter: int(quantity) for meter, quantity in event.quantities.items()}
    return (
        quantities.get("input_tokens", 0) + quantities.get("cached_input_tokens", 0),
        quantities.get("output_tokens", 0) + quantities.get("reasoning_tokens", 0),
    )


async def test_models_are_those_that_a_provider_serves(client: AsyncOpenAI) -> None:
    assert [model.id async for model in client.models.list()] == [MODEL, "sample-small"]
    assert (await client.models.retrieve(MODEL)).object == "model"


async def test_what_models_are_counted_by_is_there_before_the_first_call(
    api: object, api_settings: Settings
) -> None:
    """Tiktoken reads its ranks for seconds on a busy machine."""
    registry._local.cache_clear()
    starting = create_app(api_settings)
    tokenizer = tokenizer_for("tiktoken:o200k_base", model="their-own-name")
    assert isinstance(tokenizer, LocalTokenizer)

    async def is_loaded() -> bool:
        return tokenizer._counter is not None

    assert not await is_loaded()
    async with starting.router.lifespan_context(starting):
        await until(is_loaded)


async def test_a_completion_is_metered_as_the_model_reported_it(
    client: AsyncOpenAI, metered: Counted
) -> None:
    answer = await client.chat.completions.create(model=MODEL, messages=ASKED, max_tokens=12)
    assert answer.model == MODEL
    assert answer.choices[0].message.content
    assert answer.usage is not None
    (event,) = await metered(1)
    assert tokens(event) == (answer.usage.prompt_tokens, answer.usage.completion_tokens)
    assert event.quantities["requests"] == 1
    assert event.labels == {"status": "completed", "usage_source": "provider"}
    assert event.upstream == "local"


async def test_the_synchronous_sdk_streams_and_completes(
    url: str, make_key: MakeKey, metered: Counted
) -> None:
    key = await make_key()

    def converse() -> tuple[str, int]:
        with OpenAI(base_url=f"{url}/v1", api_key=key, max_retries=0) as client:
            said = client.chat.completions.create(model=MODEL, messages=ASKED, max_tokens=8)
            stream = client.chat.completions.create(
                model=MODEL, messages=ASKED, max_tokens=8, stream=True
            )
            parts = [chunk.choices[0].delta.content or "" for chunk in stream]
            assert said.usage is not None
            return "".join(parts), said.usage.completion_tokens

    text, completion_tokens = await asyncio.to_thread(converse)
    assert text
    plain, streamed = await metered(2)
    assert tokens(plain)[1] == completion_tokens
    assert tokens(streamed)[1] == 8


@pytest.mark.parametrize("include_usage", [True, False])
async def test_a_stream_tells_its_usage_to_who_asks_and_is_metered_either_way(
    client: AsyncOpenAI, metered: Counted, include_usage: bool
) -> None:
    stream = await client.chat.completions.create(
        model=MODEL,
        messages=ASKED,
        max_tokens=12,
        stream=True,
        stream_options={"include_usage": include_usage},
    )
    chunks = [chunk async for chunk in stream]
    assert {chunk.model for chunk in chunks} == {MODEL}
    assert "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
    (event,) = await metered(1)
    reported = [chunk.usage for chunk in chunks if chunk.usage is not None]
    if include_usage:
        assert chunks[-1].choices == []
        assert [chunks[-1].usage] == reported
        assert tokens(event) == (reported[0].prompt_tokens, reported[0].completion_tokens)
    else:
        assert reported == []
        assert all(chunk.choices for chunk in chunks)
        # The model may have said all before that, or just then
        ended = [choice.finish_reason for chunk in chunks for choice in chunk.choices][-1]
        assert tokens(event)[1] == 12 if ended == "length" else 0 < tokens(event)[1] <= 12
    assert event.labels == {"status": "completed", "usage_source": "provider"}


async def test_who_breaks_a_stream_off_pays_for_what_was_generated_till_then(
    client: AsyncOpenAI, metered: Counted
) -> None:
    stream = await client.chat.completions.create(
        model=MODEL,
        messages=[{"role": "user", "content": "Tell a long story about the sea."}],
        max_tokens=1000,
        stream=True,
    )
    heard = 0
    async for chunk in stream:
        heard += bool(chunk.choices and chunk.choices[0].delta.content)
        if heard == 5:
            break
    await stream.close()
    (event,) = await metered(1)
    assert event.labels == {"status": "aborted", "usage_source": "local"}
    prompt, said = tokens(event)
    whole = await client.chat.completions.create(
        model=MODEL,
        messages=[{"role": "user", "content": "Tell a long story about the sea."}],
        max_tokens=1,
    )
    assert whole.usage is not None
    assert prompt == whole.usage.prompt_tokens
    assert 5 <= said < 900


async def test_calls_at_the_same_time_are_each_metered_once(
    client: AsyncOpenAI, metered: Counted
) -> None:
    async def plain(number: int) -> tuple[int, int]:
        answer = await client.chat.completions.create(
            model=MODEL, messages=ASKED, max_tokens=4 + number
        )
        assert answer.usage is not None
        return answer.usage.prompt_tokens, answer.usage.completion_tokens

    async def streamed(number: int) -> tuple[int, int]:
        stream = await client.chat.completions.create(
            model=MODEL,
            messages=ASKED,
            max_tokens=4 + number,
            stream=True,
            stream_options={"include_usage": True},
        )
        usage = [chunk.usage async for chunk in stream][-1]
        assert usage is not None
        return usage.prompt_tokens, usage.completion_tokens

    token_counts = await asyncio.gather(
        *(call(number) for number in range(5) for call in (plain, streamed))
    )
    assert sorted(map(tokens, await metered(10))) == sorted(token_counts)
