"""Old events go into Parquet files; usage stays."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import msgspec
import pyarrow.parquet as pq
import pytest
from sqlalchemy import func, select

from backend.metering.archives import archive
from backend.metering.archives.archive import (
    ArchivedDay,
    archive_events,
    archiving,
    check_archive_time,
)
from backend.metering.counting.batches import count_events
from backend.metering.counting.corrections import CorrectionWanted, correct
from backend.metering.counting.rebuild import rebuild_usage
from backend.metering.errors import ArchiveBusy, ArchiveRefused
from backend.metering.events import AcceptedEvent
from backend.storage.database import Database
from backend.storage.tables import event_archives, events, rollups
from tests.support.tenants import SampleTenant, sample_tenant

pytestmark = pytest.mark.engine

START = datetime(2025, 3, 1, tzinfo=UTC)


def event(tenant: SampleTenant, number: int) -> AcceptedEvent:
    return AcceptedEvent(
        tenant_id=tenant.id,
        source="test",
        id=str(number),
        time=START + timedelta(hours=number),
        received_at=START + timedelta(hours=number),
        application_id=tenant.application,
        model="model-a",
        quantities={"requests": Decimal("123456789012345678901.123456789")},
        labels={"team": "red"},
    )


async def put_away(
    database: Database, tenant: SampleTenant, before: datetime, directory: Path
) -> list[ArchivedDay]:
    async with archiving(database) as connection:
        days = archive_events(connection, tenant.id, before, directory, actor="test")
        return [day async for day in days]


async def test_archived_events_keep_every_digit_and_leave_usage_alone(
    database: Database, tmp_path: Path
) -> None:
    tenant, other = await sample_tenant(database), await sample_tenant(database, "other")
    sent = [event(tenant, number) for number in range(60)]  # two days and a half
    before = START + timedelta(days=2)

    async def usage() -> Any:
        async with database.begin() as connection:
            query = select(func.sum(rollups.c.quantity), func.sum(rollups.c.event_count))
            return (await connection.execute(query)).one()

    async with database.raw() as connection:
        await count_events(connection, [*sent, event(other, 0)])
        counted = await usage()
        done = await put_away(database, tenant, before, tmp_path)
        assert [(day.start, day.event_count) for day in done] == [
            (START, 24),
            (START + timedelta(days=1), 24),
        ]
        assert await put_away(database, tenant, before, tmp_path) == []
        # What is archived is not taken for lost.
        days = rebuild_usage(connection, tenant.id)
        assert sum([day.wrong async for day in days]) == 0
    assert await usage() == counted
    rows = [row for day in done for row in pq.read_table(day.file).to_pylist()]
    assert [row["id"] for row in rows] == [str(number) for number in range(48)]
    assert {json.loads(row["quantities"])["requests"] for row in rows} == {
        "123456789012345678901.123456789"
    }
    assert [row["time"] for row in rows] == [event.time for event in sent[:48]]
    async with database.begin() as connection:
        left = await connection.scalars(select(events.c.id).where(events.c.tenant_id == tenant.id))
        assert sorted(map(int, left)) == list(range(48, 60))
        noted = await connection.execute(select(event_archives.c.event_count))
        assert [count for (count,) in noted] == [24, 24]


async def test_a_day_that_can_not_be_written_is_kept(database: Database, tmp_path: Path) -> None:
    tenant = await sample_tenant(database)
    in_the_way = tmp_path / tenant.id
    in_the_way.write_text("a file where the folder has to go")
    async with database.raw() as connection:
        await count_events(connection, [event(tenant, 0)])
        with pytest.raises(FileExistsError):
            await put_away(database, tenant, START + timedelta(days=2), tmp_path)
        assert await connection.fetchval("SELECT count(*) FROM events") == 1


async def test_an_event_that_is_corrected_while_its_day_is_written_stays(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tenant = await sample_tenant(database)
    keep = archive._keep

    def keep_and_correct(*args: Any) -> str:
        digest = keep(*args)
        asyncio.run(change_it())
        return digest

    async def change_it() -> None:
        wanted = CorrectionWanted("c1", "test", "0", None, "test", "usr_a")
        other = await asyncpg.connect(database.url)
        async with other.transaction():
            await correct(other, tenant.id, [wanted], START)
        await other.close()

    async with database.raw() as connection:
        await count_events(connection, [event(tenant, 0), event(tenant, 1)])
        monkeypatch.setattr(archive, "_keep", keep_and_correct)
        with pytest.raises(ArchiveRefused, match="changed while they were archived"):
            await put_away(database, tenant, START + timedelta(days=2), tmp_path)
        assert await connection.fetchval("SELECT count(*) FROM events") == 2
        monkeypatch.undo()
        [day] = await put_away(database, tenant, START + timedelta(days=2), tmp_path)
    rows = pq.read_table(day.file).to_pylist()
    assert [(row["id"], row["voided"]) for row in rows] == [("0", True), ("1", False)]
    # That of the first attempt was written over
    assert await asyncio.to_thread(lambda: list(tmp_path.rglob("*.*"))) == [day.file]


async def test_one_process_archives_at_a_time(database: Database, tmp_path: Path) -> None:
    tenant = await sample_tenant(database)
    async with archiving(database):
        with pytest.raises(ArchiveBusy):
            await put_away(database, tenant, START, tmp_path)
    assert await put_away(database, tenant, START, tmp_path) == []


async def test_what_is_of_an_archived_day_is_not_taken_any_more(
    api: httpx.AsyncClient, operator: dict[str, str], database: Database, tmp_path: Path
) -> None:
    """However far back ingest is set to take events: nobody could tell a repeated one by then."""
    tenant, other = await sample_tenant(database), await sample_tenant(database, "other")
    late = datetime.now(UTC) - timedelta(days=10)
    day = late.replace(hour=0, minute=0, second=0, microsecond=0)
    late_event = msgspec.structs.replace(event(tenant, 0), time=late)
    async with database.raw() as connection:
        await count_events(connection, [late_event])
    await put_away(database, tenant, day + timedelta(days=1), tmp_path)
    sent = [
        tenant.event("0", time=late.isoformat()),
        tenant.event("1", time=(late + timedelta(days=1)).isoformat()),
        other.event("0", time=late.isoformat()),
    ]
    answer = await api.post("/v1/events", headers=operator, json=sent)
    assert [(error["index"], error["field"]) for error in answer.json()["errors"]] == [(0, "time")]
    assert "events were archived" in answer.json()["errors"][0]["detail"]
    by_key = await api.post(
        "/v1/events", headers=tenant.headers, json=[sent[0] | {"subject": tenant.slug}]
    )
    assert by_key.json()["rejected"] == 1
    del sent[0]["subject"]
    alone = await api.post("/v1/events", headers=tenant.headers, json=sent[0])
    assert (alone.status_code, alone.json()["errors"][0]["field"]) == (422, "time")


@pytest.mark.fast
def test_what_could_still_come_in_is_not_archived() -> None:
    now = datetime(2026, 3, 10, 12, tzinfo=UTC)
    check_archive_time(datetime(2026, 2, 1, tzinfo=UTC), now, max_age_days=30)
    with pytest.raises(ArchiveRefused, match="2026-02-07"):
        check_archive_time(datetime(2026, 2, 8, tzinfo=UTC), now, max_age_days=30)
