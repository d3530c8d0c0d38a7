"""``farebox events archive`` and ``restore``, killed anywhere: each event is in one place."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import asyncpg
import pyarrow.parquet as pq
import pytest

from backend.metering.counting.batches import count_events
from backend.metering.counting.rebuild import rebuild_usage
from backend.metering.events import AcceptedEvent
from backend.storage.database import Database
from tests.support.commands import run_farebox, running_farebox
from tests.support.tenants import SampleTenant, sample_tenant

pytestmark = [pytest.mark.crash, pytest.mark.timeout(900)]

DAYS, EVENTS = 24, 300
KILLS = 4
START = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=480)
BEFORE = START + timedelta(days=DAYS)


def events_of(tenant: SampleTenant, day: int) -> list[AcceptedEvent]:
    return [
        AcceptedEvent(
            tenant_id=tenant.id,
            source="test",
            id=f"{day}-{number}",
            time=START + timedelta(days=day, minutes=number),
            received_at=START + timedelta(days=day),
            application_id=tenant.application,
            model=f"model-{number % 3}",
            quantities={"requests": Decimal(1), "audio_seconds": Decimal(number).scaleb(-3)},
        )
        for number in range(EVENTS)
    ]


def environment_of(folder: Path, database_url: str) -> dict[str, str]:
    return {
        **os.environ,
        "DATABASE_URL": database_url,
        "FAREBOX_HOME": str(folder / "home"),
        "PYTHONUNBUFFERED": "1",
    }


def run_killed(folder: Path, database_url: str, chance: random.Random, *arguments: str) -> None:
    """Run the command and kill it in the middle of a file, some files on; or see it end."""
    environment = environment_of(folder, database_url)
    with running_farebox("events", *arguments, environment=environment) as lines:
        for _ in range(chance.randrange(1, DAYS // KILLS)):
            lines.readline()
        time.sleep(chance.uniform(0, 0.02))  # anywhere in what one file takes


def run_through(folder: Path, database_url: str, *arguments: str) -> list[str]:
    environment = environment_of(folder, database_url)
    done = run_farebox("events", *arguments, environment=environment)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


async def where_events_are(connection: asyncpg.Connection) -> tuple[set[str], set[str]]:
    """The ids in the table, and those in the files of archives that are not restored."""
    stored = await connection.fetch("SELECT id FROM events")
    noted = await connection.fetch("SELECT file FROM event_archives WHERE restored_at IS NULL")
    archived = [
        event_id
        for (file,) in noted
        for event_id in pq.read_table(file, columns=["id"]).column("id").to_pylist()
    ]
    assert len(archived) == len(set(archived))
    return {row["id"] for row in stored}, set(archived)


async def test_each_event_is_in_the_table_or_in_a_file_whatever_is_killed(
    database: Database, tmp_path: Path
) -> None:
    tenant = await sample_tenant(database, time_zone="America/Havana")
    chance = random.Random(7)
    async with database.raw() as connection:
        for day in range(DAYS):
            await count_events(connection, events_of(tenant, day))
        everything, _ = await where_events_are(connection)
        all_events = "SELECT * FROM events ORDER BY tenant_id, source, id"
        counted = "SELECT * FROM rollups ORDER BY bucket, model, meter"
        before = [await connection.fetch(query) for query in (all_events, counted)]
        archive = ("archive", str(tmp_path / "files"), "--before", f"{BEFORE:%Y-%m-%d}")

        async def kill_until(holds: Callable[[], Awaitable[bool]], *arguments: str) -> None:
            for _ in range(KILLS):
                run_killed(tmp_path, database.url, chance, *arguments)
                stored, archived = await where_events_are(connection)
                assert stored | archived == everything
                assert not stored & archived
                days = rebuild_usage(connection, tenant.id, repair=False)
                assert sum([day.wrong async for day in days]) == 0
            run_through(tmp_path, database.url, *arguments)
            assert await holds()

        async def nothing_stored() -> bool:
            return (await where_events_are(connection)) == (set(), everything)

        async def nothing_archived() -> bool:
            return (await where_events_are(connection)) == (everything, set())

        await kill_until(nothing_stored, *archive)
        assert len(run_through(tmp_path, database.url, "archives", "--check")) == 1 + DAYS
        files = await connection.fetch("SELECT file FROM event_archives ORDER BY start_at")
        await kill_until(nothing_archived, "restore", *(file for (file,) in files))
        assert [await connection.fetch(query) for query in (all_events, counted)] == before
