"""A rebuild agrees with what was counted, to the unit, while events come in."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from decimal import Decimal

import pytest
from sqlalchemy import func, literal_column, select

from backend.metering.counting.batches import count_events
from backend.metering.counting.labels import declare_label
from backend.metering.counting.rebuild import rebuild_usage
from backend.metering.events import AcceptedEvent
from backend.storage.database import Database
from backend.storage.tables import rollups
from tests.metering.counting.test_corrections import NOW
from tests.support.tenants import SampleTenant, sample_tenant

pytestmark = pytest.mark.engine


def events(tenant: SampleTenant, first: int, count: int) -> list[AcceptedEvent]:
    return [
        AcceptedEvent(
            tenant_id=tenant.id,
            source="test",
            id=str(number),
            time=NOW - timedelta(minutes=number % 4000),
            received_at=NOW,
            application_id=tenant.application,
            model=f"model-{number % 3}",
            quantities={"requests": Decimal(1), "audio_seconds": Decimal("0.001") * number},
            labels={"team": f"team-{number % 2}", "note": str(number)},
        )
        for number in range(first, first + count)
    ]


async def rebuild(database: Database, tenant: SampleTenant, *, repair: bool = True) -> int:
    async with database.raw() as connection:
        days = rebuild_usage(connection, tenant.id, repair=repair)
        return sum([day.wrong async for day in days])


async def rows(database: Database, columns: str) -> list[tuple[object, ...]]:
    wanted = [literal_column(column) for column in columns.split(", ")]
    sums = (func.sum(rollups.c.quantity), func.sum(rollups.c.event_count))
    async with database.begin() as connection:
        result = await connection.execute(
            select(*wanted, *sums).select_from(rollups).group_by(*wanted).order_by(*wanted)
        )
        return [tuple(row) for row in result]


async def test_what_was_lost_or_wrong_is_put_right(database: Database) -> None:
    tenant, other = await sample_tenant(database), await sample_tenant(database, "other")
    async with database.raw() as connection:
        await count_events(connection, [*events(tenant, 0, 3000), *events(other, 0, 10)])
        assert await rebuild(database, tenant) == 0
        right = await rows(database, "tenant_id, bucket, model, meter")
        wrong = (
            "DELETE FROM rollups WHERE model = 'model-0'",
            "UPDATE rollups SET quantity = quantity + 0.000000001 WHERE model = 'model-1'",
            "UPDATE rollups SET meter = 'unheard_of'"
            " WHERE meter = 'requests' AND model = 'model-2'",
        )
        for statement in wrong:
            await connection.execute(f"{statement} AND tenant_id = '{tenant.id}'")
    assert await rebuild(database, tenant, repair=False) > 0
    count = await rebuild(database, tenant)
    assert count > 0
    assert await rebuild(database, tenant, repair=False) == 0
    assert await rows(database, "tenant_id, bucket, model, meter") == right


async def test_a_rebuild_and_counting_do_not_disturb_each_other(database: Database) -> None:
    tenant = await sample_tenant(database)
    everything = events(tenant, 0, 6000)

    async def count_in_parts(part: list[AcceptedEvent]) -> None:
        async with database.raw() as connection:
            for start in range(0, len(part), 100):
                await count_events(connection, part[start : start + 100])

    async def damage_and_rebuild() -> None:
        async with database.raw() as connection:
            for _ in range(5):
                await connection.execute("DELETE FROM rollups WHERE model = 'model-1'")
                await rebuild(database, tenant)

    async with asyncio.TaskGroup() as group:
        group.create_task(count_in_parts(everything[:4000]))
        group.create_task(count_in_parts(everything[2000:]))
        group.create_task(damage_and_rebuild())
    assert await rebuild(database, tenant, repair=False) == 0
    async with database.raw() as connection:
        counted = await connection.fetchrow(
            "SELECT sum(quantity), sum(event_count) FROM rollups WHERE meter = 'audio_seconds'"
        )
    assert tuple(counted) == (Decimal("0.001") * sum(range(6000)), 6000)


async def test_a_label_declared_later_is_told_apart_after_a_rebuild(database: Database) -> None:
    tenant = await sample_tenant(database)
    async with database.raw() as connection:
        await count_events(connection, events(tenant, 0, 100))
        async with database.begin() as declaring:
            await declare_label(declaring, tenant.id, "team")
        await count_events(connection, events(tenant, 100, 100))
    before = await rows(database, "meter")
    by_label = {row[0]: row[2] for row in await rows(database, "labels::text")}
    assert by_label == {"{}": 200, '{"team": "team-0"}': 100, '{"team": "team-1"}': 100}
    assert await rebuild(database, tenant) > 0
    by_label = {row[0]: row[2] for row in await rows(database, "labels::text")}
    assert by_label == {'{"team": "team-0"}': 200, '{"team": "team-1"}': 200}
    assert await rows(database, "meter") == before
