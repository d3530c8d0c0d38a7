"""The worker archives what is old, and of that only what no bill can need any more."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import asyncpg
import pytest
from pydantic import ValidationError
from sqlalchemy import insert, select
from structlog.testing import capture_logs

from backend.accounts.principal import COMMAND_LINE
from backend.accounts.tenants import find_tenant
from backend.metering.archives import archive
from backend.metering.archives.archive import archiving
from backend.metering.archives.restore import restore_archive
from backend.metering.archives.worker import ArchivesWorker
from backend.metering.counting.batches import count_events
from backend.metering.events import AcceptedEvent
from backend.settings import Settings
from backend.storage.database import Database
from backend.storage.tables import billing_anchors, event_archives, events
from backend.subscriptions.settled_usage import SettledUsage
from tests.support.tenants import SampleTenant, sample_tenant
from tests.support.waiting import until

NOW = datetime(2026, 6, 20, 14, 30, tzinfo=UTC)


def settings(folder: Path, *, age: int = 10, kept: int = 20, grace: int = 24) -> Settings:
    return Settings(
        event_max_age_days=age,
        event_retention_days=kept,
        event_archive_dir=folder,
        invoice_grace_hours=grace,
    )


async def count(database: Database, tenant: SampleTenant, *days: datetime) -> None:
    events = [
        AcceptedEvent(
            tenant_id=tenant.id,
            source="test",
            id=day.isoformat(),
            time=day + timedelta(hours=3),
            received_at=day,
            application_id=tenant.application,
            model="model-a",
            quantities={"requests": Decimal(1)},
        )
        for day in days
    ]
    async with database.raw() as connection:
        await count_events(connection, events)


async def left(database: Database, tenant: SampleTenant) -> list[datetime]:
    async with database.begin() as connection:
        query = select(events.c.time).where(events.c.tenant_id == tenant.id).order_by(events.c.time)
        return [time.replace(hour=0) for time in await connection.scalars(query)]


def may(day: int) -> datetime:
    return datetime(2026, 5, day, tzinfo=UTC)


@pytest.mark.engine
async def test_the_worker_archives_by_age_and_by_period(database: Database, tmp_path: Path) -> None:
    plain, shifted = await sample_tenant(database), await sample_tenant(database, "shifted")
    async with database.begin() as connection:
        # Its periods begin on the 25th: that of May 25 goes on beyond what is settled
        await connection.execute(
            insert(billing_anchors).values(
                tenant_id=shifted.id, effective_at=datetime(2026, 1, 25, tzinfo=UTC), day=25
            )
        )
    for tenant in (plain, shifted):
        await count(database, tenant, may(1), may(20), may(26), may(30), may(31))
    retention = ArchivesWorker(database, SettledUsage(settings(tmp_path)).before, 20, tmp_path)
    assert await retention.once(NOW, asyncio.Event()) == 4 + 2
    assert await left(database, plain) == [may(31)]  # May 31 is 20 days before today
    assert await left(database, shifted) == [may(26), may(30), may(31)]
    assert await retention.once(NOW + timedelta(hours=9), asyncio.Event()) == 0
    assert await retention.once(NOW + timedelta(hours=10), asyncio.Event()) == 1  # it is the 21st
    async with database.begin() as connection:
        noted = await connection.scalars(select(event_archives.c.archived_by))
        assert set(noted) == {"worker"}


@pytest.mark.engine
async def test_what_was_restored_stays_for_a_week(database: Database, tmp_path: Path) -> None:
    tenant = await sample_tenant(database)
    await count(database, tenant, may(1), may(2), may(3))
    retention, never = (
        ArchivesWorker(database, SettledUsage(settings(tmp_path)).before, 20, tmp_path),
        asyncio.Event(),
    )
    now = datetime.now(UTC)
    assert await retention.once(now, never) == 3
    files = await asyncio.to_thread(lambda: sorted(tmp_path.rglob("2026-05-0[13].parquet")))
    for file in files:
        assert (await restore_archive(database, file, COMMAND_LINE)).event_count == 1
    await count(database, tenant, may(4))
    assert await retention.once(now, never) == 1
    assert await left(database, tenant) == [may(1), may(3)]
    assert await retention.once(now + timedelta(days=8), never) == 2


@pytest.mark.engine
@pytest.mark.parametrize(
    ("age", "grace", "before"),
    [
        (10, 24, datetime(2026, 6, 1, tzinfo=UTC)),
        (17, 24, datetime(2026, 6, 1, tzinfo=UTC)),
        (18, 24, datetime(2026, 5, 1, tzinfo=UTC)),
        (17, 14 * 24, datetime(2026, 5, 1, tzinfo=UTC)),
        (400, 24, datetime(2025, 5, 1, tzinfo=UTC)),
    ],
)
async def test_a_period_stays_whole_until_it_is_settled(
    database: Database, tmp_path: Path, age: int, grace: int, before: datetime
) -> None:
    sample = await sample_tenant(database)
    wanted = settings(tmp_path, age=age, kept=500, grace=grace)
    async with database.begin() as connection:
        tenant = await find_tenant(connection, sample.id)
        assert await SettledUsage(wanted).before(connection, tenant, NOW) == before


@pytest.mark.engine
async def test_the_worker_outlives_what_is_in_the_way(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tenant, other = await sample_tenant(database), await sample_tenant(database, "other")
    long_ago = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    long_ago -= timedelta(days=100)
    await count(database, tenant, long_ago)
    await count(database, other, long_ago)
    folder = tmp_path / "files"
    folder.write_text("where the folder has to go")
    monkeypatch.setattr("backend.metering.archives.worker.EVERY_SECONDS", 0.05)
    stop = asyncio.Event()
    retention = ArchivesWorker(database, SettledUsage(settings(folder)).before, 20, folder)

    async def all_archived() -> bool:
        return not (await left(database, tenant) or await left(database, other))

    with capture_logs() as logs:

        async def told_of(event: str) -> bool:
            return any(entry["event"] == event for entry in logs)

        async with asyncio.TaskGroup() as group:
            async with archiving(database):
                group.create_task(retention.run(stop))
                await until(lambda: told_of("retention.waits"))
            await until(lambda: told_of("retention.interrupted"))
            folder.unlink()
            await until(all_archived)
            stop.set()


@pytest.mark.engine
async def test_a_day_that_changes_keeps_no_other_tenant_from_it(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changing, other = await sample_tenant(database), await sample_tenant(database, "other")
    await count(database, changing, may(1))
    await count(database, other, may(1))
    look, looks = archive._state, iter(range(10))

    async def never_the_same(
        connection: asyncpg.Connection, tenant_id: str, start: datetime
    ) -> archive._State:
        state = await look(connection, tenant_id, start)
        return state._replace(digest=Decimal(next(looks))) if tenant_id == changing.id else state

    retention = ArchivesWorker(database, SettledUsage(settings(tmp_path)).before, 20, tmp_path)
    monkeypatch.setattr(archive, "_state", never_the_same)
    assert await retention.once(NOW, asyncio.Event()) == 1
    assert (await left(database, changing), await left(database, other)) == ([may(1)], [])
    monkeypatch.undo()
    assert await retention.once(NOW, asyncio.Event()) == 1


@pytest.mark.fast
def test_what_could_still_come_in_can_not_be_set_to_go(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="more than the 400 days of FAREBOX_EVENT_MAX_AGE"):
        Settings(event_retention_days=400, event_archive_dir=tmp_path)
    with pytest.raises(ValidationError, match="must be set where FAREBOX_EVENT_RETENTION_DAYS is"):
        Settings(event_retention_days=401)
    assert Settings().event_retention_days is None
    assert (
        Settings(event_retention_days=401, event_archive_dir=tmp_path).event_retention_days == 401
    )
