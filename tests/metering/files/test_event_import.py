"""``farebox events import``: whole files in, once, whatever stops them on the way."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import func, select

from backend.accounts.operator_keys import temporary_operator_key
from backend.accounts.tenants import create_tenant, list_applications
from backend.commands import event_import
from backend.commands.event_import import EventImport
from backend.errors import CommandError
from backend.metering.files.event_files import EventFile
from backend.metering.files.flat_rows import Defaults
from backend.storage.database import Database
from backend.storage.tables import rollups
from backend_client import AsyncFareboxClient
from backend_client.types.accounts import TenantCreate
from tests.support.tenants import sample_tenant
from tests.support.waiting import until

pytestmark = pytest.mark.engine


@pytest.fixture
async def application(database: Database) -> str:
    async with database.begin() as connection:
        tenant = await create_tenant(connection, TenantCreate(slug="sample", name="Sample"))
        page = await list_applications(connection, tenant.id, cursor=None, limit=1)
        return page.items[0].id


def write_csv(
    path: Path, application: str, rows: int, *, bad: frozenset[int] = frozenset()
) -> Path:
    start = datetime.now(UTC) - timedelta(days=30)
    lines = ["id,time,subject,source,application,model,requests"]
    for number in range(rows):
        time = (start + timedelta(minutes=number)).isoformat()
        used = "many" if number in bad else "1"
        lines.append(f"{number},{time},sample,file,{application},large,{used}")
    path.write_text("\n".join(lines) + "\n")
    return path


def journal_of(path: Path, *scope: str) -> EventImport:
    return EventImport(path, path.parent / "imports", path.with_name("refused"), scope)


async def requests(database: Database) -> Decimal:
    async with database.begin() as connection:
        return await connection.scalar(select(func.sum(rollups.c.quantity))) or Decimal(0)


async def test_a_file_is_counted_once_however_often_it_is_sent(
    database: Database,
    url: str,
    worker: None,
    application: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(event_import, "BATCH", 100)
    path = write_csv(tmp_path / "e.csv", application, 950, bad=(7, 123))
    async with (
        temporary_operator_key(database, "test") as (_, secret),
        AsyncFareboxClient(url, secret) as client,
    ):
        first = journal_of(path)
        counts: list[int] = []
        await first.run(
            client, EventFile(path, Defaults()), lambda: counts.append(first.count.received)
        )
        assert counts == [100, 200, 300, 400, 500, 600, 700, 800, 900, 950]
        assert (first.count.accepted, first.count.rejected) == (948, 2)
        second = journal_of(path)
        await second.run(client, EventFile(path, Defaults()), lambda: None)
        assert "Continued after line 951" in "\n".join(second.summary())
        third = journal_of(path)
        await until(lambda: _is(database, 948))
        await third.run(client, EventFile(path, Defaults()), lambda: None, again=True)
    assert (third.count.accepted, third.count.duplicates, third.count.rejected) == (0, 948, 2)
    assert await requests(database) == 948
    refused = [json.loads(line) for line in (tmp_path / "refused").read_text().splitlines()]
    assert [(refusal["line"], refusal["field"]) for refusal in refused] == [
        (9, "data.quantities.requests"),
        (125, "data.quantities.requests"),
    ]


async def _is(database: Database, quantity: int) -> bool:
    return await requests(database) == quantity


async def test_it_goes_on_where_it_was_stopped(
    database: Database,
    url: str,
    application: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(event_import, "BATCH", 100)
    path = write_csv(tmp_path / "e.csv", application, 500)
    async with temporary_operator_key(database, "test") as (_, secret):
        broken = journal_of(path)
        async with AsyncFareboxClient(url, secret) as client:

            def revoke_after_the_third() -> None:
                if broken.count.received == 300:
                    client._sender.http.headers["authorization"] = "Bearer fb_oper_gone"

            with pytest.raises(CommandError, match=r"after line 301 .* it continues there"):
                await broken.run(client, EventFile(path, Defaults()), revoke_after_the_third)
        resumed = journal_of(path)
        batches: list[int] = []
        async with AsyncFareboxClient(url, secret) as client:
            await resumed.run(
                client, EventFile(path, Defaults()), lambda: batches.append(resumed.count.received)
            )
    assert batches == [400, 500]
    assert (resumed.count.accepted, resumed.count.line) == (500, 501)


async def test_the_same_file_for_another_tenant_is_another_import(
    database: Database, url: str, worker: None, application: str, tmp_path: Path
) -> None:
    other = await sample_tenant(database, "other")
    path = tmp_path / "e.csv"
    now = datetime.now(UTC).isoformat()
    path.write_text(f"id,time,source,model,requests\n1,{now},file,large,1\n")
    both = (
        Defaults(subject="sample", application=application),
        Defaults(subject="other", application=other.application),
    )
    async with (
        temporary_operator_key(database, "test") as (_, secret),
        AsyncFareboxClient(url, secret) as client,
    ):
        for defaults in (*both, *both):
            journal = journal_of(path, str(defaults.subject))
            await journal.run(client, EventFile(path, defaults), lambda: None)
            assert (journal.count.accepted, journal.count.line) == (1, 2)
    await until(lambda: _is(database, 2))


async def test_rows_must_say_when_and_whose(
    database: Database, url: str, application: str, tmp_path: Path
) -> None:
    path = tmp_path / "e.csv"
    path.write_text(
        "id,time,subject,source,application,model,requests\n"
        f"1,,sample,file,{application},large,1\n"
        f"2,{datetime.now(UTC).isoformat()},another,file,{application},large,1\n"
        f"3,1999-01-01T00:00:00Z,sample,file,{application},large,1\n"
    )
    journal = journal_of(path)
    async with (
        temporary_operator_key(database, "test") as (_, secret),
        AsyncFareboxClient(url, secret) as client,
    ):
        await journal.run(client, EventFile(path, Defaults()), lambda: None)
    assert journal.summary() == [
        "line 2: time: events of a file must have a time",
        "line 3: subject: names no tenant that this credential may write for",
        "line 4: time: is more than 400 days ago",
        f"All are in {tmp_path / 'refused'}",
        "3 events read: 0 new, 0 counted before, 3 refused.",
    ]


async def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "e.csv"
    async with AsyncFareboxClient("http://127.0.0.1:9", "x") as client:
        with pytest.raises(CommandError, match="No such file"):
            await journal_of(path).run(client, EventFile(path, Defaults()), lambda: None)
