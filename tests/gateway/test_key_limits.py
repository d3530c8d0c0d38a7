"""A key's own limits: as arithmetic, and as two replicas hold them together in PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select, update

from backend.accounts.applications import create_application
from backend.accounts.keys.keys import create_key
from backend.accounts.principal import COMMAND_LINE
from backend.gateway.errors import KeyLimited
from backend.gateway.limits.buckets import Bucket
from backend.gateway.limits.key_limits import KeyLimits
from backend.ids import new_id
from backend.storage.database import Database
from backend.storage.tables import key_calls, key_windows
from backend_client.types.accounts import ApiKeyCreate, ApplicationCreate
from backend_client.types.limits import RateLimits
from tests.support.billing import make_tenant
from tests.support.waiting import until

NOW = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)

Key = tuple[str, str]


@pytest.mark.fast
def test_a_bucket_holds_a_minutes_worth_and_fills_evenly() -> None:
    bucket = Bucket(60, NOW)
    assert bucket.left(NOW) == 60
    bucket = bucket.after(60, NOW)
    assert bucket.left(NOW) == 0
    assert bucket.left(NOW + timedelta(seconds=1)) == 1
    assert bucket.seconds_until_full(NOW + timedelta(seconds=15)) == 45
    assert bucket.left(NOW + timedelta(seconds=90)) == 60
    assert bucket.after(-30, NOW).left(NOW) == 30


@pytest.mark.fast
@given(
    limit=st.integers(1, 10_000),
    taking=st.lists(st.tuples(st.integers(0, 5_000), st.integers(0, 90_000))),
)
def test_no_more_is_let_through_than_a_minutes_worth_and_what_filled_since(
    limit: int, taking: list[tuple[int, int]]
) -> None:
    bucket, now, taken = Bucket(limit, NOW), NOW, 0
    for units, pause in taking:
        now += timedelta(milliseconds=pause)
        after = bucket.after(units, now)
        if after.full_at - now <= MINUTE:
            bucket, taken = after, taken + units
            assert taken <= limit * (1 + (now - NOW) / MINUTE) + 1e-3
        else:
            assert units > bucket.left(now) - 1e-3


@pytest.fixture
async def key(database: Database) -> Key:
    tenant = await make_tenant(database)
    caller = replace(COMMAND_LINE, tenant_id=tenant.id)
    async with database.begin() as connection:
        wanted = ApplicationCreate(name="One")
        application = await create_application(connection, tenant.id, wanted)
        api_key = await create_key(
            connection, caller, ApiKeyCreate(name="A key", application_id=application.id)
        )
    return tenant.id, api_key.id


@pytest.fixture
async def replicas(database: Database) -> AsyncIterator[tuple[KeyLimits, KeyLimits]]:
    both = KeyLimits(database), KeyLimits(database)
    yield both
    for limits in both:
        await limits.close()


async def under_way(database: Database) -> int:
    async with database.begin() as connection:
        return await connection.scalar(select(func.count()).select_from(key_calls)) or 0


@pytest.mark.engine
async def test_a_key_without_limits_costs_nothing(
    database: Database, key: Key, replicas: tuple[KeyLimits, KeyLimits]
) -> None:
    assert await replicas[0].reserve(*key, new_id("req"), RateLimits(), 10**9) is None
    assert await under_way(database) == 0


@pytest.mark.engine
async def test_requests_a_minute_hold_across_replicas(
    key: Key, replicas: tuple[KeyLimits, KeyLimits]
) -> None:
    limits = RateLimits(requests_per_minute=10)

    async def ask(number: int) -> bool:
        try:
            await replicas[number % 2].reserve(*key, new_id("req"), limits, 1)
        except KeyLimited:
            return False
        return True

    answers = await asyncio.gather(*(ask(number) for number in range(30)))
    assert sum(answers) in {10, 11}  # one more fits if these took six seconds
    more = [replicas[0].reserve(*key, f"more{number}", limits, 1) for number in range(3)]
    refused = (await asyncio.gather(*more, return_exceptions=True))[-1]
    assert isinstance(refused, KeyLimited)
    assert "10 requests a minute" in refused.detail
    assert 1 <= refused.retry_after_seconds <= 6
    assert refused.headers["x-ratelimit-limit-requests"] == "10"
    assert refused.headers["x-ratelimit-remaining-requests"] == "0"


@pytest.mark.engine
async def test_tokens_are_taken_at_most_and_settled_at_what_was_used(
    key: Key, replicas: tuple[KeyLimits, KeyLimits]
) -> None:
    limits = RateLimits(tokens_per_minute=10_000)
    first, second = replicas
    call = await first.reserve(*key, "one", limits, 9_000)
    assert call is not None
    assert int(call.headers["x-ratelimit-remaining-tokens"]) == 1_000
    with pytest.raises(KeyLimited, match="10,000 tokens a minute"):
        await second.reserve(*key, "two", limits, 5_000)
    for _ in range(2):
        await second.settle(call, 500)
    again = await second.reserve(*key, "three", limits, 9_000)
    assert again is not None
    assert 500 <= int(again.headers["x-ratelimit-remaining-tokens"]) < 2_000
    # What a provider used beyond the most is paid back in time
    await first.settle(again, 20_000)
    with pytest.raises(KeyLimited) as raised:
        await first.reserve(*key, "four", limits, 1)
    assert 30 < raised.value.retry_after_seconds <= 70


@pytest.mark.engine
async def test_a_call_larger_than_the_minute_goes_through_alone(
    key: Key, replicas: tuple[KeyLimits, KeyLimits]
) -> None:
    limits = RateLimits(tokens_per_minute=100)
    assert await replicas[0].reserve(*key, "one", limits, 5_000) is not None
    with pytest.raises(KeyLimited):
        await replicas[1].reserve(*key, "two", limits, 5_000)


@pytest.mark.engine
async def test_what_is_refused_uses_up_nothing(
    database: Database, key: Key, replicas: tuple[KeyLimits, KeyLimits]
) -> None:
    limits = RateLimits(requests_per_minute=5, tokens_per_minute=100, concurrent_requests=2)
    first, _ = replicas
    calls = [await first.reserve(*key, str(number), limits, 10) for number in range(2)]
    for number in range(20):
        with pytest.raises(KeyLimited, match="2 requests at a time"):
            await first.reserve(*key, f"more{number}", limits, 10)
    assert await under_way(database) == 2
    assert calls[0] is not None
    await first.release(calls[0])
    third = await first.reserve(*key, "third", limits, 10)
    assert third is not None
    assert third.headers["x-ratelimit-remaining-requests"] == "3"
    assert int(third.headers["x-ratelimit-remaining-tokens"]) >= 80


@pytest.mark.engine
async def test_requests_at_a_time_hold_across_replicas(
    key: Key, replicas: tuple[KeyLimits, KeyLimits]
) -> None:
    limits = RateLimits(concurrent_requests=3)

    async def ask(number: int) -> bool:
        try:
            await replicas[number % 2].reserve(*key, str(number), limits, 1)
        except KeyLimited:
            return False
        return True

    assert sum(await asyncio.gather(*(ask(number) for number in range(12)))) == 3


@pytest.mark.engine
async def test_calls_under_way_are_renewed_and_those_of_a_dead_replica_forgotten(
    database: Database, key: Key
) -> None:
    limits = RateLimits(concurrent_requests=1)
    alive, dead = KeyLimits(database, lease_seconds=0.3), KeyLimits(database, lease_seconds=0.3)
    await alive.reserve(*key, "long", limits, 1)

    async def renewed() -> bool:
        began = select(key_windows.c.requests_free_at).scalar_subquery()
        later = key_calls.c.lost_at - began > timedelta(seconds=0.6)
        async with database.begin() as connection:
            return await connection.scalar(select(func.count()).where(later)) == 1

    await until(renewed)
    with pytest.raises(KeyLimited):
        await alive.reserve(*key, "another", limits, 1)
    await alive.close()

    await dead.close()  # never renews again
    async with database.begin() as connection:
        await connection.execute(update(key_calls).values(lost_at=func.now()))
    assert await dead.reserve(*key, "next", limits, 1) is not None
