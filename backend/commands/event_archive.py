"""``farebox events archive``, ``archives`` and ``restore``: old events in Parquet files."""

from __future__ import annotations

import asyncio
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from backend.accounts.principal import COMMAND_LINE
from backend.accounts.tenants import find_tenant
from backend.commands.database import ready_database
from backend.engines.running import running_settings
from backend.metering.archives.archive import check_archive_time
from backend.metering.archives.archive_list import Archive, check_file, list_archives
from backend.metering.archives.restore import restore_archive
from backend.metering.archives.retention import archive_tenants
from backend.settings import Settings
from backend.subscriptions.settled_usage import SettledUsage

_WIDE = 1000


def archive(
    directory: Annotated[Path, typer.Argument(help="Where the files go, a folder a tenant.")],
    before: Annotated[
        datetime, typer.Option(formats=["%Y-%m-%d"], help="Archive what is older (UTC).")
    ],
) -> None:
    """Move old events of all tenants into Parquet files. Usage and bills stay as they are.

    Events of a billing period that can still change are not archived. Archived events are not
    listed, corrected or included in a rebuild, until they are restored.
    """
    settings = running_settings()
    midnight = before.replace(tzinfo=UTC)
    now = datetime.now(UTC)
    check_archive_time(midnight, now, max_age_days=settings.event_max_age_days)
    count = asyncio.run(_archive(settings, directory.resolve(), midnight, now))
    typer.echo(f"{count:,} events archived.")


async def _archive(settings: Settings, directory: Path, before: datetime, now: datetime) -> int:
    count = 0
    async with ready_database(settings) as database:
        actor = COMMAND_LINE.id
        days = archive_tenants(
            database, SettledUsage(settings).before, directory, before, now, actor=actor
        )
        async for _, day in days:
            typer.echo(f"{day.file}: {day.event_count:,}")
            count += day.event_count
    return count


def archives(
    tenant: Annotated[str | None, typer.Option(help="Id or slug; all tenants if none.")] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Read every file and compare it with its SHA-256.")
    ] = False,
) -> None:
    """List the archives, by tenant and day. With --check, exit with 1 if a file has changed."""
    settings = running_settings()
    wrong = asyncio.run(_list(settings, tenant, check=check))
    if wrong:
        typer.echo(f"{wrong:,} of these files have changed or are missing.", err=True)
        raise typer.Exit(1)


async def _list(settings: Settings, tenant: str | None, *, check: bool) -> int:
    async with ready_database(settings) as database, database.begin() as connection:
        tenant_id = None if tenant is None else (await find_tenant(connection, tenant)).id
        archives = await list_archives(connection, tenant_id)
    if not archives:
        typer.echo("Nothing was archived yet.")
        return 0
    names = ("TENANT", "DAY (UTC)", "EVENTS", "ARCHIVED", "BY", "RESTORED", "FILE")
    table = Table(*names, *(["FILE STATE"] if check else []), box=None, pad_edge=False)
    wrong = 0
    for archive in archives:
        state = [await check_file(archive)] if check else []
        wrong += state not in ([], ["as it was"])
        table.add_row(*_row(archive), *state)
    width = None if sys.stdout.isatty() else _WIDE  # a program reads unbroken lines
    Console(width=width, markup=False, emoji=False, highlight=False).print(table)
    return wrong


def _row(archive: Archive) -> tuple[str, ...]:
    restored = (
        ""
        if archive.restored_at is None
        else f"{_time(archive.restored_at)} by {archive.restored_by}"
    )
    return (
        archive.tenant,
        f"{archive.start.astimezone(UTC):%Y-%m-%d}",
        f"{archive.event_count:,}",
        _time(archive.archived_at),
        archive.archived_by,
        restored,
        str(archive.file),
    )


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def restore(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE...", help="As `archive` wrote them, anywhere.")
    ],
) -> None:
    """Restore archived events, to list, correct or rebuild from them. It may be repeated.

    Each file is checked against the SHA-256 on record, and restored wholly or not at all.
    """
    asyncio.run(_restore(running_settings(), files))


async def _restore(settings: Settings, files: list[Path]) -> None:
    async with ready_database(settings) as database:
        for file in files:
            done = await restore_archive(database, file, COMMAND_LINE)
            if not done.event_count:
                typer.echo(f"{file}: was restored before")
                continue
            corrected = f", {done.corrected:,} corrected since" if done.corrected else ""
            typer.echo(f"{file}: {done.event_count:,} events{corrected}")
