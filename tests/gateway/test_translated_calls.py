"""Clients of one protocol before a provider that speaks another, over real HTTP."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from openai import AsyncOpenAI

from backend.settings import Settings, Upstream
from tests.gateway import chat_answers, message_answers
from tests.gateway.conftest import MakeKey, Metered
from tests.support.flaky import FlakyServer, Reply

pytestmark = pytest.mark.engine

Counted = Callable[[int], Awaitable[list[Metered]]]
ASKED: Any = [{"role": "user", "content": "Say hello"}]


@pytest.fixture
def speaks() -> tuple[str, ...]:
    """What the provider speaks."""
    return ("chat",)


@pytest.fixture
def api_settings(
    api_settings: Settings, provider: FlakyServer, speaks: tuple[str, ...]
) -> Settings:
    """The API's settings: one provider that speaks one protocol."""
    upstream = Upstream(
        name="test",
        base_url=f"{provider.url}/v1",
        models={"sample-small": "their-own-name"},
        speaks=speaks,
    )
    return api_settings.model_copy(update={"upstreams": [upstream]})


async def test_anthropics_client_before_a_chat_provider(
    url: str, make_key: MakeKey, provider: FlakyServer, metered: Counted
) -> None:
    import anthropic  # here: two seconds, which every process would take as it collects

    provider.replies = [
        Reply(body=chat_answers.whole(usage=chat_answers.USAGE)),
        chat_answers.streamed(
            chat_answers.said("Hello"),
            chat_answers.said(" there", "stop", usage=chat_answers.USAGE),
            chat_answers.DONE,
        ),
    ]
    asked: Any = {"model": "sample-small", "messages": ASKED, "max_tokens": 99}
    async with anthropic.AsyncAnthropic(base_url=url, api_key=await make_key()) as claude:
        answer = await claude.messages.create(**asked)
        assert [block.text for block in answer.content if block.type == "text"] == ["Hello there"]
        async with claude.messages.stream(**asked) as stream:
            final = await stream.get_final_message()
    assert [block.text for block in final.content if block.type == "text"] == ["Hello there"]
    assert (final.stop_reason, final.usage.output_tokens) == ("end_turn", 20)
    assert {request.path for request in provider.seen} == {"/v1/chat/completions"}
    assert json.loads(provider.seen[0].body) == {
        "model": "their-own-name",
        "messages": ASKED,
        "max_completion_tokens": 99,
    }
    assert [event.quantities for event in await metered(2)] == [chat_answers.USED] * 2


async def test_responses_before_a_chat_provider(
    client: AsyncOpenAI, provider: FlakyServer, metered: Counted
) -> None:
    provider.replies = [
        Reply(body=chat_answers.whole(usage=chat_answers.USAGE)),
        chat_answers.streamed(
            chat_answers.said("Hello"),
            chat_answers.said(" there", "stop", usage=chat_answers.USAGE),
            chat_answers.DONE,
        ),
    ]
    answer = await client.responses.create(model="sample-small", input="Say hello")
    assert answer.output_text == "Hello there"
    async with client.responses.stream(model="sample-small", input="Say hello") as stream:
        final = await stream.get_final_response()
    assert (final.output_text, final.status) == ("Hello there", "completed")
    assert [event.quantities for event in await metered(2)] == [chat_answers.USED] * 2


@pytest.mark.parametrize("speaks", [("messages",)])
async def test_openais_client_before_a_provider_of_messages(
    client: AsyncOpenAI, provider: FlakyServer, metered: Counted
) -> None:
    provider.replies = [
        message_answers.whole(),
        message_answers.streamed(*message_answers.STREAM),
    ]
    asked: Any = {"model": "sample-small", "messages": ASKED}
    answer = await client.chat.completions.create(**asked)
    assert answer.choices[0].message.content == "Hello there"
    assert answer.usage is not None
    assert answer.usage.prompt_tokens == 151
    stream = await client.chat.completions.create(**asked, stream=True)
    said = [choice.delta.content or "" async for chunk in stream for choice in chunk.choices]
    assert "".join(said) == "Hello there"
    assert json.loads(provider.seen[0].body) == {
        "model": "their-own-name",
        "messages": [{"role": "user", "content": [{"type": "text", "text": "Say hello"}]}],
        "max_tokens": 16_384,
    }
    assert {request.path for request in provider.seen} == {"/v1/messages"}
    assert [event.quantities for event in await metered(2)] == [message_answers.USED] * 2
