"""Events in partitions are the same events, and count as before."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import asyncpg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection

from backend.errors import CommandError
from backend.metering.archives.archive import archive_events
from backend.metering.counting.batches import count_events
from backend.metering.counting.corrections import CorrectionWanted, correct
from backend.metering.counting.partitions import list_partitions, partition_events
from backend.metering.counting.rebuild import rebuild_usage
from backend.metering.events import AcceptedEvent
from backend.storage.database import Database
from backend.storage.tables import metadata
from tests.support.tenants import SampleTenant, sample_tenant

pytestmark = pytest.mark.engine

START = datetime(2025, 3, 1, tzinfo=UTC)
BATCHES, BATCH = 30, 40


def event(tenant: SampleTenant, number: int) -> AcceptedEvent:
    return AcceptedEvent(
        tenant_id=tenant.id,
        source="test",
        id=str(number),
        time=START + timedelta(minutes=number),
        received_at=START + timedelta(minutes=number),
        application_id=tenant.application,
        model="model-a",
        quantities={"requests": Decimal(1), "input_tokens": Decimal(number)},
    )


async def partition(database: Database, count: int) -> int:
    async with database.begin() as connection:
        return await partition_events(connection, count)


async def wrong(connection: asyncpg.Connection, tenant: SampleTenant) -> int:
    """How many rollups are not what the events say."""
    return sum([day.wrong async for day in rebuild_usage(connection, tenant.id, repair=False)])


async def test_dividing_while_events_are_counted_loses_and_doubles_none(
    database: Database,
) -> None:
    tenants = [await sample_tenant(database, f"sample-{number}") for number in range(5)]
    sent = [event(tenant, number) for number in range(BATCHES * BATCH) for tenant in tenants]
    size = BATCH * len(tenants)
    divided = asyncio.Event()

    async def count() -> None:
        """Send all of it, and the last batch before anew each time."""
        async with database.raw() as connection:
            for first in range(0, len(sent), size):
                await count_events(connection, sent[max(first - size, 0) : first + size])
                if first == size:
                    divided.set()

    async def divide() -> None:
        await divided.wait()
        for count in (4, 7, 1, 3):
            await partition(database, count)

    async with asyncio.TaskGroup() as group:
        group.create_task(count())
        group.create_task(divide())
    async with database.begin() as connection:
        names = [part.name for part in await list_partitions(connection)]
    assert names == ["events_0_of_3", "events_1_of_3", "events_2_of_3"]
    async with database.raw() as connection:
        for tenant in tenants:
            stored = await connection.fetch("SELECT id FROM events WHERE tenant_id = $1", tenant.id)
            assert sorted(int(row["id"]) for row in stored) == list(range(BATCHES * BATCH))
            assert await wrong(connection, tenant) == 0


async def test_what_is_done_to_events_is_done_in_partitions_too(
    database: Database, tmp_path: Path
) -> None:
    tenant = await sample_tenant(database)
    assert await partition(database, 4) == 0
    async with database.raw() as connection:
        sent = [event(tenant, number) for number in range(3000)]
        assert (await count_events(connection, sent)).new == 3000
        assert (await count_events(connection, sent[1000:])).new == 0
        void = CorrectionWanted("c1", "test", "1500", None, "twice", "usr_a")
        async with connection.transaction():
            await correct(connection, tenant.id, [void], START)
        assert await wrong(connection, tenant) == 0
        before = START + timedelta(days=1)
        archiving = archive_events(connection, tenant.id, before, tmp_path, actor="test")
        archived = [day async for day in archiving]
        assert [day.event_count for day in archived] == [1440]
        assert await connection.fetchval("SELECT count(*) FROM events") == 3000 - 1440
    # And back to one table, which is what the schema says
    assert await partition(database, 1) == 3000 - 1440

    def differences(connection: Connection) -> list[object]:
        context = MigrationContext.configure(connection, opts={"compare_server_default": True})
        return list(compare_metadata(context, metadata))

    async with database.engine.connect() as connection:
        assert await connection.run_sync(differences) == []


@pytest.mark.parametrize("count", [0, -1, 257])
async def test_a_count_out_of_bounds_is_refused(database: Database, count: int) -> None:
    with pytest.raises(CommandError, match="from 1 to 256"):
        await partition(database, count)
    async with database.begin() as connection:
        assert [part.name for part in await list_partitions(connection)] == ["events"]
