"""``farebox events import``: whole files in, once, whatever stops them on the way."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import func, select
from typer.testing import CliRunner, Result

from backend.accounts.applications import list_applications
from backend.accounts.keys.operator_keys import temporary_operator_key
from backend.accounts.tenants import create_tenant
from backend.commands import event_import
from backend.commands import events as command
from backend.commands.event_import import EventImport
from backend.errors import CommandError
from backend.metering.errors import UnreadableEventFile
from backend.metering.files.event_files import EventFile
from backend.metering.files.flat_rows import Defaults, FileRow
from backend.metering.files.place import Place
from backend.settings import Settings
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


def test_its_journals_are_closed_to_other_users(tmp_path: Path) -> None:
    event_import._replace(tmp_path / "imports" / "a", "{}")
    assert (tmp_path / "imports").stat().st_mode & 0o077 == 0


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


class Unreachable(AsyncFareboxClient):
    """Would fail on any request."""

    def __init__(self) -> None:
        super().__init__("http://127.0.0.1:9", "x")


async def test_what_is_before_an_unreadable_row_is_sent_and_the_rest_later(
    database: Database, url: str, application: str, tmp_path: Path
) -> None:
    path = write_csv(tmp_path / "e.csv", application, 5)
    good = path.read_bytes().splitlines(keepends=True)
    bad = good[3].replace(b"large", b"gro\xdf")  # Latin-1
    path.write_bytes(b"".join([*good[:3], bad, *good[4:]]))
    before = sum(map(len, good[:3]))
    async with (
        temporary_operator_key(database, "test") as (_, secret),
        AsyncFareboxClient(url, secret) as client,
    ):
        stopped = journal_of(path)
        with pytest.raises(UnreadableEventFile, match="line 4: not UTF-8"):
            await stopped.run(client, EventFile(path, Defaults()), lambda: None)
        assert stopped.count.accepted == 2
        assert stopped.summary()[-2:] == [
            "2 events read: 2 new, 0 counted before, 0 refused.",
            f"All before line 4 (byte {before}) was sent. When the file is put right, send the "
            "rest with --from-line 4; or leave this line out with --from-line 5.",
        ]
        async with Unreachable() as nobody:
            again = journal_of(path)  # sends nothing twice, and stops where it did
            with pytest.raises(UnreadableEventFile, match="line 4: not UTF-8"):
                await again.run(nobody, EventFile(path, Defaults()), lambda: None)
        rest = journal_of(path)
        await rest.run(client, EventFile(path, Defaults()), lambda: None, from_line=5)
        assert (rest.count.accepted, rest.count.duplicates, rest.count.line) == (2, 0, 6)


async def test_a_file_that_was_cut_short_is_sent_up_to_there(
    database: Database, url: str, application: str, tmp_path: Path
) -> None:
    plain = write_csv(tmp_path / "e.csv", application, 500).read_bytes()
    packed = gzip.compress(plain)
    path = tmp_path / "cut.csv.gz"
    path.write_bytes(packed[: len(packed) * 2 // 3])
    async with (
        temporary_operator_key(database, "test") as (_, secret),
        AsyncFareboxClient(url, secret) as client,
    ):
        stopped = journal_of(path)
        with pytest.raises(UnreadableEventFile, match="not a complete gzip file"):
            await stopped.run(client, EventFile(path, Defaults()), lambda: None)
    assert 100 < stopped.count.accepted < 500
    line, offset = stopped.count.line, stopped.count.offset
    assert plain[:offset].count(b"\n") == line == stopped.count.accepted + 1
    assert f"All before line {line + 1} (byte {offset:,}) was sent." in stopped.summary()[-1]


async def test_a_finished_file_is_not_read_again(
    database: Database,
    url: str,
    application: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = write_csv(tmp_path / "e.csv", application, 50)
    async with (
        temporary_operator_key(database, "test") as (_, secret),
        AsyncFareboxClient(url, secret) as client,
    ):
        await journal_of(path).run(client, EventFile(path, Defaults()), lambda: None)
    read: list[FileRow] = []
    file = EventFile(path, Defaults())
    rows = file.rows

    def noted(start: Place) -> Iterator[FileRow]:
        for row in rows(start):
            read.append(row)
            yield row

    monkeypatch.setattr(file, "rows", noted)
    async with Unreachable() as nobody:
        finished = journal_of(path)
        await finished.run(nobody, file, lambda: None)
    assert (read, finished.count.received) == ([], 50)
    assert finished.count.offset == path.stat().st_size


def without_log(result: Result) -> list[str]:
    """What the command said, without what the API in this process logs."""
    return [line for line in result.stdout.splitlines() if "[info" not in line]


async def test_several_files_are_sent_also_after_one_that_can_not_be_read(
    database: Database,
    url: str,
    application: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first = write_csv(tmp_path / "first.csv", application, 3)
    first.write_text(first.read_text() + '"never closed\n')
    second = write_csv(tmp_path / "second.csv", application, 5, bad=frozenset({4}))
    third = write_csv(tmp_path / "third.csv", application, 4)

    @asynccontextmanager
    async def operator_client(*_: object) -> AsyncIterator[AsyncFareboxClient]:
        async with AsyncFareboxClient(url, secret) as client:
            yield client

    async with temporary_operator_key(database, "test") as (_, secret):
        monkeypatch.setattr(command, "operator_client", operator_client)
        monkeypatch.setattr(command, "running_settings", lambda: Settings(home=tmp_path / "home"))

        async def run(*arguments: str | Path) -> Result:
            words = ["import", *map(str, arguments)]
            return await asyncio.to_thread(CliRunner().invoke, command.events, words)

        both = await run(first, second)
        assert both.exit_code == 1
        said = without_log(both)
        assert said[said.index("first.csv:") :][1] == (
            "3 events read: 3 new, 0 counted before, 0 refused."
        )
        assert "All before line 5 (byte " in both.stdout
        assert said[said.index("second.csv:") :][1:] == [
            "line 6: data.quantities.requests: is not a number",
            f"All are in {second}.refused",
            said[-1],
        ]
        assert said[-1].startswith("5 events read: ")
        alone = await run(third)
        assert (alone.exit_code, without_log(alone)[0][:13]) == (0, "4 events read")
        for option in (["--from-line", "5"], ["--refused", str(tmp_path / "refused")]):
            wrong = await run(first, third, *option)
            assert isinstance(wrong.exception, CommandError)
            assert "for one file" in str(wrong.exception)


async def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "e.csv"
    async with AsyncFareboxClient("http://127.0.0.1:9", "x") as client:
        with pytest.raises(CommandError, match="No such file"):
            await journal_of(path).run(client, EventFile(path, Defaults()), lambda: None)
