"""``farebox events``: usage from files."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from backend.commands.event_archive import archive, archives, restore
from backend.commands.event_import import EventImport
from backend.commands.event_partitions import partition
from backend.commands.operator_client import operator_client
from backend.engines.running import running_settings
from backend.metering.files.event_files import EventFile
from backend.metering.files.flat_rows import Defaults
from backend.settings import Settings

events = typer.Typer(no_args_is_help=True, help="Usage events.")
events.command()(archive)
events.command()(archives)
events.command()(restore)
events.command()(partition)


@events.command("import")
def import_file(
    path: Annotated[
        Path, typer.Argument(metavar="FILE", help=".csv, .ndjson (either may be .gz), .parquet")
    ],
    source: Annotated[str | None, typer.Option(help="The source of rows without one.")] = None,
    tenant: Annotated[
        str | None, typer.Option(help="Id or slug of the tenant, for rows without a subject.")
    ] = None,
    application: Annotated[
        str | None, typer.Option(help="The application of rows without one.")
    ] = None,
    refused: Annotated[
        Path | None, typer.Option(help="Where to write refused rows; FILE.refused if none.")
    ] = None,
    again: Annotated[
        bool, typer.Option("--again", help="Send the whole file, even what was sent before.")
    ] = False,
) -> None:
    """Send a file of events. It may be repeated, and continues after an interruption."""
    settings = running_settings()
    defaults = Defaults(source=source, subject=tenant, application=application)
    scope = [
        settings.database_url or "",
        *(f"{name}={value}" for name, value in asdict(defaults).items() if value is not None),
    ]
    journal = EventImport(
        path, settings.home / "imports", refused or path.with_name(f"{path.name}.refused"), scope
    )
    asyncio.run(_send(settings, EventFile(path, defaults), journal, again=again))
    for line in journal.summary():
        typer.echo(line)
    if journal.count.rejected:
        raise typer.Exit(1)


async def _send(settings: Settings, file: EventFile, journal: EventImport, *, again: bool) -> None:
    async with operator_client(settings, "farebox events import") as client:
        with _bar() as bar:
            task = bar.add_task("Reading", total=None)

            def progress() -> None:
                summary = f"{journal.count.received:,} events"
                bar.update(task, total=file.total, completed=file.done, description=summary)

            await journal.run(client, file, progress, again=again)


def _bar() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )
