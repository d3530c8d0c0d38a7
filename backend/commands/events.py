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
from backend.errors import CommandError
from backend.metering.errors import UnreadableEventFile
from backend.metering.files.event_files import EventFile
from backend.metering.files.flat_rows import Defaults
from backend.settings import Settings
from backend_client import AsyncFareboxClient

events = typer.Typer(no_args_is_help=True, help="Usage events.")
events.command()(archive)
events.command()(archives)
events.command()(restore)
events.command()(partition)


@events.command("import")
def import_files(
    paths: Annotated[
        list[Path],
        typer.Argument(metavar="FILE...", help=".csv, .ndjson (either may be .gz), .parquet"),
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
    from_line: Annotated[
        int | None,
        typer.Option(min=1, help="Send what begins at this line (in Parquet, row) of the file."),
    ] = None,
    again: Annotated[
        bool, typer.Option("--again", help="Send the whole file, even what was sent before.")
    ] = False,
) -> None:
    """Send files of events. It may be repeated, and continues after an interruption."""
    if len(paths) > 1 and (refused is not None or from_line is not None):
        raise CommandError("--refused and --from-line are for one file: name no other.")
    settings = running_settings()
    defaults = Defaults(source=source, subject=tenant, application=application)
    scope = [
        settings.database_url or "",
        *(f"{name}={value}" for name, value in asdict(defaults).items() if value is not None),
    ]
    imports = [
        (
            EventFile(path, defaults),
            EventImport(
                path,
                settings.home / "imports",
                refused or path.with_name(f"{path.name}.refused"),
                scope,
            ),
        )
        for path in paths
    ]
    complete = asyncio.run(_send_all(settings, imports, again=again, from_line=from_line))
    if not complete:
        raise typer.Exit(1)


async def _send_all(
    settings: Settings,
    imports: list[tuple[EventFile, EventImport]],
    *,
    again: bool,
    from_line: int | None,
) -> bool:
    """Send the files in order; return whether all that is in them was taken.

    One that can't be read (further) keeps no other from being sent.
    """
    complete = True
    async with operator_client(settings, "farebox events import") as client:
        for file, event_import in imports:
            if len(imports) > 1:
                typer.echo(f"{file.name}:")
            try:
                await _send(client, file, event_import, again=again, from_line=from_line)
            except UnreadableEventFile as error:
                complete = False
                typer.echo(error.detail, err=True)
            finally:
                for line in event_import.summary():
                    typer.echo(line)
            complete = complete and not event_import.count.rejected
    return complete


async def _send(
    client: AsyncFareboxClient,
    file: EventFile,
    event_import: EventImport,
    *,
    again: bool,
    from_line: int | None,
) -> None:
    with _bar() as bar:
        task = bar.add_task("Reading", total=None)

        def progress() -> None:
            summary = f"{event_import.count.received:,} events"
            bar.update(task, total=file.total, completed=file.done, description=summary)

        await event_import.run(client, file, progress, again=again, from_line=from_line)


def _bar() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )
