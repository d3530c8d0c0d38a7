"""Calls under way hold what they can use of a hard quota, so that none of them passes it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select

from backend.metering.counting.batches import count_events
from backend.metering.events import AcceptedEvent
from backend.quotas.errors import QuotaExhausted
from backend.quotas.holds import LAPSE, CallUnits, QuotaHolds
from backend.storage.database import Database
from backend.storage.tables import quota_holds, quota_states
from backend.subscriptions.changes import start_subscription
from backend_client.types.accounts import Tenant
from backend_client.types.catalog import Catalog
from tests.support.billing import NOW

pytestmark = pytest.mark.engine

SOURCE = "test"
TEN = CallUnits(prompt_tokens=6, output_tokens=4)
"""The catalog's free plan has a hard quota of 1,000 tokens: a hundred of these."""


@pytest.fixture
async def holds(database: Database, tenant: Tenant, applied: Catalog) -> QuotaHolds:
    async with database.begin() as connection:
        start = datetime(2026, 2, 1, tzinfo=UTC)
        await start_subscription(connection, tenant.id, "free", start)
    return QuotaHolds(database, source=SOURCE)


async def count(database: Database, tenant: Tenant, call_id: str, units: CallUnits) -> None:
    """Count a call's event, as the worker does."""
    async with database.raw() as connection:
        event = AcceptedEvent(
            tenant_id=tenant.id,
            sender="gateway",
            source=SOURCE,
            id=call_id,
            time=NOW,
            received_at=NOW,
            application_id="app_1",
            model="small",
            quantities={"input_tokens": units.prompt_tokens, "output_tokens": units.output_tokens},
        )
        await count_events(connection, [event])


async def attempt(holds: QuotaHolds, tenant: Tenant, name: str, at: datetime = NOW) -> bool:
    try:
        await holds.reserve(tenant, name, TEN, at)
    except QuotaExhausted:
        return False
    return True


async def test_of_many_at_once_on_two_replicas_only_as_many_pass_as_there_is_room_for(
    database: Database, database_url: str, tenant: Tenant, holds: QuotaHolds
) -> None:
    other = Database(database_url, pool_size=5)
    replicas = [holds, QuotaHolds(other, source=SOURCE)]
    passed = await asyncio.gather(
        *(attempt(replicas[number % 2], tenant, f"call-{number}") for number in range(130))
    )
    await other.close()
    assert sum(passed) == 100


async def test_usage_is_in_the_hold_or_in_the_rollups_at_every_moment(
    database: Database, tenant: Tenant, holds: QuotaHolds
) -> None:
    """Calls are settled at half of what they held and counted, while others are admitted."""
    used = CallUnits(3, 2)
    spent = 0
    for number in range(400):
        at = NOW + timedelta(milliseconds=50 * number)
        if await attempt(holds, tenant, f"call-{number}", at):
            spent += 5
            await holds.settle(tenant.id, f"call-{number}", used)
            if number % 3:
                await count(database, tenant, f"call-{number}", used)
    # The last call that passed still had room for ten
    assert 990 < spent <= 1000


async def test_calls_that_waited_for_one_another_read_what_is_used_once(
    database: Database, tenant: Tenant, holds: QuotaHolds
) -> None:
    async def taken_at() -> datetime | None:
        async with database.begin() as connection:
            return await connection.scalar(select(quota_states.c.taken_at))

    later = NOW + timedelta(seconds=5)
    assert await attempt(holds, tenant, "later", later)
    assert await attempt(holds, tenant, "earlier", NOW)
    assert await taken_at() == later
    # A quarter of an hour before, it may have been another billing period
    before = NOW - timedelta(minutes=15)
    assert await attempt(holds, tenant, "before", before)
    assert await taken_at() == before


@pytest.mark.parametrize("at", [NOW, NOW - timedelta(seconds=2)], ids=["anew", "at once"])
async def test_one_that_is_too_large_is_told_what_is_left(
    tenant: Tenant, holds: QuotaHolds, at: datetime
) -> None:
    if at != NOW:
        assert await attempt(holds, tenant, "small", NOW)
    left = 1_000 if at == NOW else 990
    with pytest.raises(QuotaExhausted, match=f"up to 1,001 .* {left:,} are left"):
        await holds.reserve(tenant, "large", CallUnits(1_000, 1), at)
    assert await attempt(holds, tenant, "fits", at)


async def test_a_counted_calls_hold_goes_and_one_that_never_ended_lapses(
    database: Database, tenant: Tenant, holds: QuotaHolds
) -> None:
    await holds.reserve(tenant, "counted", TEN, NOW)
    await holds.reserve(tenant, "lost", CallUnits(900, 0), NOW)
    await count(database, tenant, "counted", TEN)

    async def held() -> list[str]:
        async with database.begin() as connection:
            ids = await connection.execute(select(quota_holds.c.id).order_by(quota_holds.c.id))
            return list(ids.scalars())

    at = NOW + timedelta(seconds=2)
    assert await attempt(holds, tenant, "next", at)
    assert await held() == ["lost", "next"]
    with pytest.raises(QuotaExhausted, match=r"can use up to 100 .* and 80 are left"):
        await holds.reserve(tenant, "large", CallUnits(100, 0), at)
    later = NOW + LAPSE + timedelta(seconds=1)
    await holds.reserve(tenant, "large", CallUnits(900, 0), later)
    assert await held() == ["large", "next"]


async def test_a_released_hold_is_room_again_and_a_refused_one_holds_nothing(
    database: Database, tenant: Tenant, holds: QuotaHolds
) -> None:
    await holds.reserve(tenant, "whole", CallUnits(1000, 0), NOW)
    assert not await attempt(holds, tenant, "refused")
    await holds.release(tenant.id, "whole")
    await holds.release(tenant.id, "whole")
    await holds.reserve(tenant, "again", CallUnits(0, 1000), NOW)
    async with database.begin() as connection:
        assert await connection.scalar(select(func.count()).select_from(quota_holds)) == 1
