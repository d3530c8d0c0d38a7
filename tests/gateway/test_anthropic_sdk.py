"""Anthropic's Python SDK, unmodified, against the gateway; the provider speaks its protocol."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from backend.kit.tls import tls_context
from tests.gateway.conftest import MakeKey, Metered
from tests.gateway.message_answers import CONTENT, START, STREAM, USED, event, streamed, whole
from tests.support.flaky import FlakyServer, Reply

if TYPE_CHECKING:
    from anthropic import AsyncAnthropic

pytestmark = pytest.mark.engine

Counted = Callable[[int], Awaitable[list[Metered]]]
ASKED: Any = [{"role": "user", "content": "Say hello"}]
NOTHING = {"requests": 0}
BETA = "interleaved-thinking-2025-05-14"


@pytest.fixture
async def claude(url: str, make_key: MakeKey) -> AsyncIterator[AsyncAnthropic]:
    """The SDK with a good key, which it sends as ``x-api-key``."""
    import anthropic  # here: two seconds, which every process would take as it collects

    http_client = anthropic.DefaultAsyncHttpxClient(verify=tls_context())
    async with anthropic.AsyncAnthropic(
        base_url=url, api_key=await make_key(), max_retries=0, http_client=http_client
    ) as client:
        yield client


async def ask(claude: AsyncAnthropic, **more: Any) -> Any:
    asked = {"model": "sample-small", "messages": ASKED, "max_tokens": 100, **more}
    return await claude.messages.create(**asked)


async def test_a_message_is_served_and_each_token_billed_once(
    claude: AsyncAnthropic, provider: FlakyServer, metered: Counted
) -> None:
    provider.replies = [whole()]
    answer = await ask(
        claude, system="Be kind", extra_headers={"anthropic-beta": f"{BETA},some-beta"}
    )
    assert answer.model == "sample-small"
    assert [block.type for block in answer.content] == ["thinking", "text", "tool_use"]
    assert answer.content[2].input == {"word": "sea"}
    assert answer.usage.cache_read_input_tokens == 100
    (request,) = provider.seen
    assert request.path == "/v1/messages"
    assert request.headers["anthropic-beta"] == BETA  # another may cost more
    assert claude.api_key is not None
    assert claude.api_key not in str(request.headers)
    assert json.loads(request.body) == {
        "model": "their-own-name",
        "messages": ASKED,
        "max_tokens": 100,
        "system": "Be kind",
    }
    (metered_event,) = await metered(1)
    assert metered_event.quantities == USED
    assert metered_event.labels["status"] == "completed"


async def test_a_message_is_streamed_as_it_is_made(
    claude: AsyncAnthropic, provider: FlakyServer, metered: Counted
) -> None:
    provider.replies = [streamed(*STREAM)]
    asked: Any = {"model": "sample-small", "messages": ASKED, "max_tokens": 100}
    async with claude.messages.stream(**asked) as stream:
        assert "".join([text async for text in stream.text_stream]) == "Hello there"
        final = await stream.get_final_message()
    assert final.model == "sample-small"
    assert [block.type for block in final.content] == [block["type"] for block in CONTENT]
    assert final.content[2].type == "tool_use"
    assert final.content[2].input == {"word": "sea"}
    assert (final.stop_reason, final.usage.output_tokens) == ("tool_use", 9)
    assert [metered_event.quantities for metered_event in await metered(1)] == [USED]


async def test_a_whole_message_to_a_stream_is_streamed(
    claude: AsyncAnthropic, provider: FlakyServer, metered: Counted
) -> None:
    provider.replies = [whole()]
    asked: Any = {"model": "sample-small", "messages": ASKED, "max_tokens": 100}
    async with claude.messages.stream(**asked) as stream:
        final = await stream.get_final_message()
    assert [block.type for block in final.content] == [block["type"] for block in CONTENT]
    assert final.content[2].type == "tool_use"
    assert final.content[2].input == {"word": "sea"}
    assert [metered_event.quantities for metered_event in await metered(1)] == [USED]


@pytest.mark.parametrize("way", ["cut", "error", "ends"])
async def test_a_stream_that_breaks_bills_its_prompt_and_what_was_said(
    claude: AsyncAnthropic, provider: FlakyServer, metered: Counted, way: str
) -> None:
    import anthropic

    first = b"".join(STREAM[:10])
    failure = event("error", error={"type": "overloaded_error", "message": "GPU 7 of sk-theirs"})
    provider.replies = [
        {
            "cut": streamed(first, cut=len(first) - 4),
            "error": streamed(first, failure),
            "ends": streamed(first),
        }[way]
    ]
    with pytest.raises(anthropic.APIError) as raised:
        async for _ in await ask(claude, stream=True):
            pass
    assert "sk-theirs" not in str(raised.value.body)
    (metered_event,) = await metered(1)
    # The stream's start says 1 token; "Be kind." and "Hello there" (cut: "Hello") are more
    said = 4 if way == "cut" else 5
    assert metered_event.quantities == {**USED, "output_tokens": said}
    assert metered_event.labels == metered_event.labels | {"status": "failed"}


async def test_who_leaves_a_stream_pays_what_had_come(
    claude: AsyncAnthropic, provider: FlakyServer, metered: Counted
) -> None:
    first = START + b"".join(STREAM[7:9])
    provider.replies = [streamed(first, *STREAM[9:], stalls=len(first))]
    stream = await ask(claude, stream=True)
    async for piece in stream:
        if piece.type == "content_block_delta":
            break
    await stream.close()
    (metered_event,) = await metered(1)
    assert metered_event.quantities == {**USED, "output_tokens": 1}
    assert metered_event.labels["status"] == "aborted"


@pytest.mark.parametrize(
    "body",
    [
        {"type": "error", "error": {"type": "api_error", "message": "sk-theirs"}},
        {},
        {"type": "message", "content": None},
    ],
)
async def test_an_error_in_a_200_bills_nothing(
    claude: AsyncAnthropic, provider: FlakyServer, metered: Counted, body: dict[str, Any]
) -> None:
    import anthropic

    provider.replies = [Reply(body=json.dumps(body).encode())]
    with pytest.raises(anthropic.InternalServerError) as raised:
        await ask(claude)
    assert "sk-theirs" not in str(raised.value.body)
    assert [metered_event.quantities for metered_event in await metered(1)] == [NOTHING]


async def test_errors_are_those_that_the_sdk_knows(claude: AsyncAnthropic, url: str) -> None:
    import anthropic

    with pytest.raises(anthropic.BadRequestError, match="max_tokens"):
        await ask(claude, max_tokens=0)
    with pytest.raises(anthropic.NotFoundError) as missing:
        await ask(claude, model="no-such-model")
    assert isinstance(missing.value.body, dict)
    assert missing.value.body["error"]["type"] == "not_found_error"
    with pytest.raises(anthropic.AuthenticationError):
        await ask(claude.copy(api_key="fb_live_wrong"))
    with pytest.raises(anthropic.NotFoundError, match="POST /v1/messages/count_tokens"):
        await claude.messages.batches.list()


async def test_tokens_are_counted_before_a_call(claude: AsyncAnthropic) -> None:
    count = await claude.messages.count_tokens(model="sample-small", messages=ASKED)
    assert count.input_tokens == 9
    more = await claude.messages.count_tokens(
        model="sample-small", messages=ASKED, system="Be kind to everybody"
    )
    assert more.input_tokens > count.input_tokens


async def test_models_are_listed_in_the_protocols_form(claude: AsyncAnthropic) -> None:
    models = [model async for model in claude.models.list()]
    assert [model.id for model in models][-1] == "sample-small"
    assert models[-1].display_name
    assert (await claude.models.retrieve("sample-small")).type == "model"


async def test_a_bearer_token_does_too(url: str, make_key: MakeKey, provider: FlakyServer) -> None:
    import anthropic

    provider.replies = [whole()]
    async with anthropic.AsyncAnthropic(
        base_url=url, auth_token=await make_key(), max_retries=0
    ) as client:
        assert (await ask(client)).id == "msg_1"


async def test_an_api_key_header_opens_no_other_route(url: str, make_key: MakeKey) -> None:
    async with httpx.AsyncClient(headers={"x-api-key": await make_key()}) as http:
        assert (await http.get(f"{url}/v1/models")).status_code == 200
        assert (await http.get(f"{url}/v1/usage")).status_code == 401
