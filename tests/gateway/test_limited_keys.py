"""Keys with limits, as OpenAI's SDK meets them."""

from __future__ import annotations

import asyncio
import json

import httpx
import openai
import pytest
from openai import AsyncOpenAI
from sqlalchemy import func, select

from backend.storage.database import Database
from backend.storage.tables import key_calls
from tests.gateway.chat_answers import whole
from tests.gateway.conftest import MakeKey, OpenClient
from tests.support.flaky import FlakyServer, Reply
from tests.support.waiting import until

pytestmark = pytest.mark.engine

ASKED = [{"role": "user", "content": "Say hello"}]
USAGE = {"prompt_tokens": 9, "completion_tokens": 2}
HELLO = Reply(body=whole(usage=USAGE))


async def ask(client: AsyncOpenAI, max_tokens: int = 10) -> httpx.Headers:
    """Make a call; return the answer's headers."""
    answer = await client.chat.completions.with_raw_response.create(
        model="sample-small", messages=ASKED, max_tokens=max_tokens
    )
    return answer.headers


async def test_requests_a_minute(
    open_client: OpenClient, make_key: MakeKey, provider: FlakyServer
) -> None:
    provider.replies = [HELLO]
    limited = open_client(await make_key(limits={"requests_per_minute": 2}))
    headers = await ask(limited)
    assert headers["x-ratelimit-limit-requests"] == "2"
    assert headers["x-ratelimit-remaining-requests"] == "1"
    assert "x-ratelimit-limit-tokens" not in headers
    await ask(limited)
    with pytest.raises(openai.RateLimitError) as raised:
        await ask(limited)
    assert (raised.value.code, raised.value.type) == ("rate_limit_exceeded", "rate_limit_error")
    refusal_headers = raised.value.response.headers
    assert 1 <= int(refusal_headers["retry-after"]) <= 30
    assert refusal_headers["x-ratelimit-remaining-requests"] == "0"
    assert "x-should-retry" not in refusal_headers
    assert len(provider.seen) == 2
    other = open_client(await make_key())
    assert "x-ratelimit-limit-requests" not in await ask(other)


async def test_tokens_a_minute_are_settled_at_what_was_used(
    open_client: OpenClient, make_key: MakeKey, provider: FlakyServer
) -> None:
    provider.replies = [HELLO]
    limited = open_client(await make_key(limits={"tokens_per_minute": 20_000}))
    # Each could use half of the minute's tokens, and uses eleven.
    for _ in range(5):
        headers = await ask(limited, max_tokens=10_000)
        assert int(headers["x-ratelimit-remaining-tokens"]) < 10_000

        async def settled() -> bool:
            left = (await ask(limited, max_tokens=1))["x-ratelimit-remaining-tokens"]
            return int(left) > 19_000

        await until(settled)
    sent = json.loads(provider.seen[0].body)
    assert sent["max_tokens"] == 10_000


async def test_requests_at_a_time(
    open_client: OpenClient, make_key: MakeKey, provider: FlakyServer
) -> None:
    provider.replies = [Reply(body=HELLO.body, stalls=0)]
    limited = open_client(await make_key(limits={"concurrent_requests": 1}))
    first = asyncio.create_task(ask(limited))

    async def begun() -> bool:
        return len(provider.seen) == 1

    await until(begun)
    with pytest.raises(openai.RateLimitError, match="1 requests at a time"):
        await ask(limited)
    provider.go_on()
    await first

    async def over() -> bool:
        try:
            await ask(limited)
        except openai.RateLimitError:
            return False
        return True

    await until(over)


async def test_a_call_that_fails_or_is_refused_gives_back_what_it_took(
    open_client: OpenClient, make_key: MakeKey, provider: FlakyServer, database: Database
) -> None:
    provider.replies = [Reply(500), HELLO]
    key = await make_key(limits={"tokens_per_minute": 2_000_000, "concurrent_requests": 1})
    limited = open_client(key)
    with pytest.raises(openai.InternalServerError):
        await ask(limited)

    async def given_back() -> bool:
        async with database.begin() as connection:
            return not await connection.scalar(select(func.count()).select_from(key_calls))

    await until(given_back)
    await ask(limited)
    await until(given_back)
    # The free plan's quota has no room for this one; the key's limits had.
    with pytest.raises(openai.RateLimitError) as raised:
        await limited.chat.completions.create(
            model="sample-small", messages=ASKED, max_tokens=12_000, n=100
        )
    assert raised.value.code == "insufficient_quota"
    assert await given_back()
    await ask(limited)
