"""Archived events come back as they were, once, and corrections that waited are made."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import asyncpg
import pyarrow.parquet as pq
import pytest
from sqlalchemy import Table, select, update
from sqlalchemy.exc import SQLAlchemyError

from backend.accounts.principal import COMMAND_LINE
from backend.metering.archives import restore
from backend.metering.archives.archive import ArchivedDay, archive_events, archiving, digest_of
from backend.metering.archives.archive_list import check_file, list_archives
from backend.metering.archives.restore import RestoredFile, restore_archive
from backend.metering.counting.batches import count_events
from backend.metering.counting.corrections import Amended, CorrectionWanted, State, correct
from backend.metering.counting.labels import declare_label
from backend.metering.counting.rebuild import rebuild_usage
from backend.metering.errors import ArchiveBusy, ArchiveRefused
from backend.metering.events import AcceptedEvent
from backend.storage.database import Database
from backend.storage.tables import audit_entries, daily_rollups, event_archives, events, rollups
from tests.support.tenants import SampleTenant, sample_tenant

pytestmark = pytest.mark.engine

START = datetime(2025, 3, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def event(tenant: SampleTenant, number: int, **changes: Any) -> AcceptedEvent:
    values: dict[str, Any] = {
        "tenant_id": tenant.id,
        "source": "test",
        "id": str(number),
        "time": START + timedelta(hours=number, microseconds=number),
        "received_at": START + timedelta(hours=number),
        "application_id": tenant.application,
        "model": "model-a",
        "quantities": {"requests": Decimal("123456789012345678901.123456789")},
        "labels": {"team": "red", "note": "Grüße, \"x\" \\ 'y'"},
    }
    if number % 2:
        values |= {
            "key_id": "key_1",
            "upstream": "azure",
            "counted": {"requests": Decimal("0.000000001")},
        }
    return AcceptedEvent(**{**values, **changes})


@pytest.fixture
async def tenant(database: Database) -> SampleTenant:
    tenant = await sample_tenant(database, time_zone="Asia/Kathmandu")
    async with database.raw() as connection:
        await count_events(connection, [event(tenant, number) for number in range(60)])
    await make(database, tenant, void("7"), void("8"), amend(tenant, "8", images=3))
    return tenant


def void(of: str, name: str = "") -> CorrectionWanted:
    return CorrectionWanted(name or f"void-{of}", "test", of, None, "test", "usr_a")


def amend(tenant: SampleTenant, of: str, **quantities: int) -> CorrectionWanted:
    used = {meter: Decimal(value) for meter, value in quantities.items()}
    data = Amended(application_id=tenant.application, model="model-b", quantities=used)
    return CorrectionWanted(f"amend-{of}", "test", of, data, "test", "usr_a")


async def make(
    database: Database, tenant: SampleTenant, *corrections: CorrectionWanted
) -> list[State]:
    async with database.raw() as connection, connection.transaction():
        states, _ = await correct(connection, tenant.id, corrections, START)
    return states


async def put_away(database: Database, tenant: SampleTenant, folder: Path) -> list[ArchivedDay]:
    async with archiving(database) as connection:
        days = archive_events(connection, tenant.id, START + 2 * DAY, folder, actor="test")
        return [day async for day in days]


async def bring_back(database: Database, files: Sequence[Path]) -> list[RestoredFile]:
    return [await restore_archive(database, file, COMMAND_LINE) for file in files]


async def stored(database: Database, table: Table) -> list[tuple[Any, ...]]:
    async with database.begin() as connection:
        rows = await connection.execute(select(table).order_by(*table.primary_key))
        return [tuple(row) for row in rows]


async def differences(database: Database, tenant: SampleTenant, *, repair: bool = False) -> int:
    async with database.raw() as connection:
        days = rebuild_usage(connection, tenant.id, repair=repair)
        return sum([day.wrong async for day in days])


async def test_what_was_archived_comes_back_exactly_and_once(
    database: Database, tenant: SampleTenant, tmp_path: Path
) -> None:
    before = {table: await stored(database, table) for table in (events, rollups, daily_rollups)}
    days = await put_away(database, tenant, tmp_path)
    assert [day.event_count for day in days] == [24, 24]
    elsewhere = [day.file.rename(tmp_path / f"{place}.bin") for place, day in enumerate(days)]
    done = await bring_back(database, [*elsewhere, *elsewhere])
    assert [(file.start, file.event_count, file.corrected) for file in done] == [
        (START, 24, 0),
        (START + DAY, 24, 0),
        (START, 0, 0),
        (START + DAY, 0, 0),
    ]
    assert {table: await stored(database, table) for table in before} == before
    assert await differences(database, tenant) == 0
    async with database.begin() as connection:
        audited = await connection.execute(
            select(audit_entries.c.actor, audit_entries.c.target, audit_entries.c.detail).where(
                audit_entries.c.action == "events.restore"
            )
        )
        assert [tuple(row) for row in audited] == [
            ("command-line", "2025-03-01", {"events": 24, "corrected": 0}),
            ("command-line", "2025-03-02", {"events": 24, "corrected": 0}),
        ]


async def test_corrections_that_came_meanwhile_are_made(
    database: Database, tenant: SampleTenant, tmp_path: Path
) -> None:
    days = await put_away(database, tenant, tmp_path)
    corrections = [
        void("1"),
        amend(tenant, "2", images=2),
        amend(tenant, "7", images=7),  # it was void when it was archived
        void("8", "again"),  # it was amended
        void("3"),
        amend(tenant, "3", images=5),  # the last one rules
    ]
    states = await make(database, tenant, *corrections)
    assert set(states) == {"pending"}
    async with database.begin() as connection:
        await declare_label(connection, tenant.id, "team")
    done = await bring_back(database, [day.file for day in days])
    assert [file.corrected for file in done] == [5, 0]
    async with database.raw() as connection:
        sums = "SELECT meter, sum(quantity), sum(event_count) FROM {} GROUP BY 1 ORDER BY 1"
        totals = [
            await connection.fetch(sums.format(name)) for name in ("rollups", "daily_rollups")
        ]
        assert totals[0] == totals[1]
        # Of the other days the label is not told apart yet
        assert await differences(database, tenant, repair=True) > 0
        assert await connection.fetch(sums.format("rollups")) == totals[0]
        images = dict(row[:2] for row in totals[0])["images"]
        count = await connection.fetchval("SELECT count(*) FROM events WHERE NOT voided")
        waiting = await connection.fetchval(
            "SELECT count(*) FROM corrections WHERE applied_at IS NULL"
        )
    assert (images, count, waiting) == (2 + 7 + 5, 60 - 2, 0)


async def test_a_file_that_is_none_of_the_archives_is_refused(
    database: Database, tenant: SampleTenant, tmp_path: Path
) -> None:
    [first, _] = await put_away(database, tenant, tmp_path)
    changed = tmp_path / "changed.parquet"
    content = bytearray(first.file.read_bytes())
    content[100] ^= 1
    changed.write_bytes(content)
    with pytest.raises(ArchiveRefused, match="no archive has the SHA-256"):
        await bring_back(database, [changed])
    with pytest.raises(ArchiveRefused, match="No such file"):
        await bring_back(database, [tmp_path / "gone.parquet"])
    assert len(await stored(database, events)) == 12


async def test_an_event_that_came_again_is_never_counted_away(
    database: Database, tenant: SampleTenant, tmp_path: Path
) -> None:
    """Both were counted: with one of them gone for good a rebuild would change old bills."""
    [first, second] = await put_away(database, tenant, tmp_path)
    async with database.raw() as connection:
        await count_events(connection, [event(tenant, 5, time=START + 100 * DAY)])
    counted = await stored(database, rollups)
    with pytest.raises(ArchiveRefused, match=r"1 came again .* \(test 5\)\. Nothing was restored"):
        await bring_back(database, [first.file])
    await bring_back(database, [second.file])
    assert len(await stored(database, events)) == 12 + 1 + 24
    assert await differences(database, tenant) == 0
    assert await stored(database, rollups) == counted


async def test_a_restored_day_can_be_archived_again(
    database: Database, tenant: SampleTenant, tmp_path: Path
) -> None:
    [first, second] = await put_away(database, tenant, tmp_path)
    content = first.file.read_bytes()
    await bring_back(database, [first.file])
    await make(database, tenant, void("4"))
    [again] = await put_away(database, tenant, tmp_path)
    assert again.file.name == "2025-03-01-2.parquet"
    assert first.file.read_bytes() == content
    async with database.begin() as connection:
        listed = await list_archives(connection, tenant.id)
    assert [(archive.file, archive.restored_by) for archive in listed] == [
        (first.file, "command-line"),
        (again.file, None),
        (second.file, None),
    ]
    [old, new] = await bring_back(database, [first.file, again.file])
    assert (old.event_count, new.event_count) == (0, 24)
    assert await differences(database, tenant) == 0


async def test_files_that_are_not_what_they_were_are_found(
    database: Database, tenant: SampleTenant, tmp_path: Path
) -> None:
    [first, second] = await put_away(database, tenant, tmp_path)
    first.file.write_bytes(first.file.read_bytes()[:-1])
    async with database.begin() as connection:
        archives = await list_archives(connection, None)
    assert [await check_file(archive) for archive in archives] == ["changed", "as it was"]
    second.file.unlink()
    assert await check_file(archives[1]) == "not there"


async def test_a_restore_that_is_cut_off_leaves_nothing_behind(
    database: Database,
    tenant: SampleTenant,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """At its last step, with every event inserted: PostgreSQL ends its connection."""
    days = await put_away(database, tenant, tmp_path)
    correct_them = restore._correct

    async def cut_off(connection: asyncpg.Connection, *args: Any) -> int:
        await correct_them(connection, *args)
        async with database.raw() as other:
            await other.execute("SELECT pg_terminate_backend($1)", connection.get_server_pid())
        return await correct_them(connection, *args)

    monkeypatch.setattr(restore, "_correct", cut_off)
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, SQLAlchemyError)):
        await bring_back(database, [days[0].file])
    monkeypatch.undo()
    assert len(await stored(database, events)) == 12
    [done] = await bring_back(database, [days[0].file])
    assert done.event_count == 24


async def test_nothing_is_restored_while_something_is_archived(
    database: Database, tenant: SampleTenant, tmp_path: Path
) -> None:
    days = await put_away(database, tenant, tmp_path)
    async with archiving(database):
        with pytest.raises(ArchiveBusy):
            await bring_back(database, [days[0].file])
    both = [days[0].file, days[0].file]
    done = await asyncio.gather(
        *(restore_archive(database, file, COMMAND_LINE) for file in both), return_exceptions=True
    )
    counts = [
        result.event_count if isinstance(result, RestoredFile) else str(result) for result in done
    ]
    assert 24 in counts
    assert len(await stored(database, events)) == 12 + 24


async def test_a_file_from_before_senders_and_upstreams_were_recorded_comes_back(
    database: Database, tenant: SampleTenant, tmp_path: Path
) -> None:
    [first, _] = await put_away(database, tenant, tmp_path)
    whole = pq.read_table(first.file)
    older = tmp_path / "older.parquet"
    pq.write_table(whole.drop_columns(["sender", "upstream"]), older)
    async with database.begin() as connection:
        await connection.execute(
            update(event_archives)
            .where(event_archives.c.file == str(first.file))
            .values(sha256=digest_of(older))
        )
    [done] = await bring_back(database, [older])
    assert done.event_count == 24
    async with database.begin() as connection:
        named = await connection.execute(
            select(events.c.sender, events.c.upstream).where(events.c.time < START + DAY).distinct()
        )
        assert [tuple(row) for row in named] == [("operator", "")]
