"""No race passes a hard quota or spends a credit twice, and a refused call uses up no limit."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from decimal import Decimal
from functools import partial
from typing import Any

import httpx
import openai
import pytest
from openai import AsyncOpenAI
from sqlalchemy import func, select, text

from backend.settings import Settings
from backend.storage.database import Database
from backend.storage.tables import (
    credit_grants,
    credit_reservations,
    quota_holds,
    quota_states,
    wallets,
)
from tests.gateway.chat_answers import whole
from tests.gateway.conftest import Join, Metered, OpenClient, patient
from tests.support.flaky import FlakyServer, Reply
from tests.support.waiting import until

pytestmark = pytest.mark.engine

Counted = Callable[[int], Awaitable[list[Metered]]]
ASKED = [{"role": "user", "content": "Say hello"}]


def answer(prompt: int, completion: int) -> Reply:
    usage = {"prompt_tokens": prompt, "completion_tokens": completion}
    return Reply(body=whole(usage=usage))


async def ask(client: AsyncOpenAI, max_tokens: int, **more: Any) -> str | None:
    """The code that the call is refused with, None if it is not."""
    try:
        await client.chat.completions.create(
            model="sample-small", messages=ASKED, max_tokens=max_tokens, **more
        )
    except openai.APIStatusError as error:
        final = error.response.headers.get("x-should-retry") == "false"
        return str(error.code) if final else "to be retried"
    return None


@pytest.fixture
def api_settings(api_settings: Settings) -> Settings:
    return patient(api_settings)


@pytest.fixture
async def prepaid(api: httpx.AsyncClient, join: Join, open_client: OpenClient) -> AsyncOpenAI:
    """A client whose calls are paid from a wallet with five dollars in it."""
    headers = await join("prepaid")
    application = (await api.get("/v1/applications", headers=headers)).json()["items"][0]["id"]
    key = {"name": "test", "application_id": application}
    answer = await api.post("/v1/keys", headers=headers, json=key)
    return open_client(answer.json()["secret"])


async def test_of_many_calls_at_once_only_those_pass_that_the_quota_has_room_for(
    client: AsyncOpenAI, provider: FlakyServer, metered: Counted
) -> None:
    """The free plan has a million tokens; ten calls of up to 120,000 are under way at once."""
    provider.replies = [Reply(**{**vars(answer(9, 120_000)), "stalls": 0})]
    calls = [asyncio.create_task(ask(client, 120_000)) for _ in range(10)]

    async def under_way_or_refused() -> bool:
        return len(provider.seen) + sum(call.done() for call in calls) == 10

    await until(under_way_or_refused)
    provider.go_on()
    codes = await asyncio.gather(*calls)
    assert codes.count(None) == 8
    assert codes.count("insufficient_quota") == 2
    events = await metered(8)
    used = sum(sum(event.quantities.values()) - 1 for event in events)
    assert used == 8 * 120_009 <= 1_000_000


async def test_what_a_call_did_not_use_is_room_for_others(
    client: AsyncOpenAI, provider: FlakyServer, database: Database
) -> None:
    provider.replies = [answer(9, 1)]
    for _ in range(3):
        assert await ask(client, 128_000, n=7) is None

    async def given_back() -> bool:
        async with database.begin() as connection:
            held = await connection.scalar(select(func.sum(quota_holds.c.output_tokens)))
        return held is not None and held <= 3

    await until(given_back)


async def test_a_next_call_waits_for_what_the_one_before_it_has_not_given_back_yet(
    client: AsyncOpenAI, provider: FlakyServer, database: Database
) -> None:
    """Each may use half of the free plan's million tokens, and a little more."""
    provider.replies = [Reply(**{**vars(answer(9, 1)), "stalls": 0})]
    first = asyncio.create_task(ask(client, 128_000, n=4))

    async def under_way() -> bool:
        return len(provider.seen) == 1

    await until(under_way)
    async with database.begin() as delays_settling:
        await delays_settling.execute(select(quota_states).with_for_update())
        provider.go_on()
        assert await first is None
        await until(partial(so_many_wait, database, 1))
        # What it asks for comes after what the first gives back
        second = asyncio.create_task(ask(client, 128_000, n=4))
    assert await second is None


async def so_many_wait(database: Database, number: int) -> bool:
    """Whether so many transactions wait for a lock."""
    query = """SELECT count(*) FROM pg_stat_activity
        WHERE wait_event_type = 'Lock' AND datname = current_database()"""
    async with database.begin() as connection:
        return bool(await connection.scalar(text(query)) == number)


async def test_a_call_larger_than_what_is_left_is_told_how_much_there_is(
    client: AsyncOpenAI, provider: FlakyServer
) -> None:
    with pytest.raises(openai.RateLimitError, match="Lower max_tokens") as raised:
        await client.chat.completions.create(
            model="sample-small", messages=ASKED, max_tokens=100_000, n=11
        )
    assert "1,000,000 are left" in raised.value.message
    assert provider.seen == []


@pytest.mark.parametrize(
    ("given", "forwarded"),
    [
        ({}, {"max_completion_tokens": 16_384}),
        ({"max_tokens": 5}, {"max_tokens": 5}),
        ({"n_predict": -1, "max_tokens": 5}, {"max_tokens": 5}),
        ({"n_predict": 5}, {"n_predict": 5, "max_completion_tokens": 5}),
        ({"max_tokens": -1}, {"max_completion_tokens": 16_384}),
        ({"max_completion_tokens": None}, {"max_completion_tokens": 16_384}),
    ],
)
async def test_the_provider_is_held_to_what_was_held(
    client: AsyncOpenAI,
    provider: FlakyServer,
    given: dict[str, Any],
    forwarded: dict[str, Any],
) -> None:
    provider.replies = [answer(9, 1)]
    await client.chat.completions.create(model="sample-small", messages=ASKED, extra_body=given)
    sent = json.loads(provider.seen[0].body)
    assert {name: sent[name] for name in sent if name not in {"model", "messages"}} == forwarded


@pytest.mark.parametrize("answers", [0, -1, 129, "3", 1.5, True])
async def test_a_number_of_answers_that_can_not_be(client: AsyncOpenAI, answers: object) -> None:
    with pytest.raises(openai.BadRequestError) as raised:
        await client.chat.completions.create(
            model="sample-small", messages=ASKED, extra_body={"n": answers}
        )
    assert raised.value.param == "n"


async def test_prepaid_calls_are_paid_from_the_wallet_and_an_empty_one_is_told(
    prepaid: AsyncOpenAI, provider: FlakyServer, database: Database, metered: Counted
) -> None:
    """Output costs 2.20 dollars a million or more: of five dollars, some calls pass at once."""
    provider.replies = [Reply(**{**vars(answer(9, 10)), "stalls": 0})]
    calls = [asyncio.create_task(ask(prepaid, 100_000, n=4)) for _ in range(12)]

    async def under_way_or_refused() -> bool:
        return len(provider.seen) + sum(call.done() for call in calls) == 12

    await until(under_way_or_refused)
    passed = len(provider.seen)
    async with database.begin() as connection:
        held = await connection.scalar(select(func.sum(credit_grants.c.reserved)))
    assert 0 < passed < 12
    assert held is not None
    assert Decimal(0) < held <= 5
    provider.go_on()
    codes = await asyncio.gather(*calls)
    assert codes.count("insufficient_credit") == 12 - passed
    assert len(await metered(passed)) == passed

    async def settled() -> bool:
        async with database.begin() as connection:
            states = await connection.execute(select(credit_reservations.c.state))
            return set(states.scalars()) == {"settled"}

    await until(settled)
    async with database.begin() as connection:
        assert await connection.scalar(select(func.sum(credit_grants.c.reserved))) == 0
        assert await connection.scalar(select(func.count()).select_from(wallets)) == 1
    with pytest.raises(openai.APIStatusError, match=r"This call can cost up to .* Top it up"):
        await prepaid.chat.completions.create(
            model="sample-small", messages=ASKED, max_tokens=128_000, n=128
        )


async def test_a_call_that_failed_gives_all_of_its_credit_back(
    prepaid: AsyncOpenAI, provider: FlakyServer, database: Database
) -> None:
    provider.replies = [Reply(500)]
    with pytest.raises(openai.InternalServerError):
        await prepaid.chat.completions.create(model="sample-small", messages=ASKED)

    async def given_back() -> bool:
        async with database.begin() as connection:
            sums = select(func.sum(credit_grants.c.available), func.sum(credit_grants.c.reserved))
            return (await connection.execute(sums)).one() == (5, 0)

    await until(given_back)
