"""``farebox reconcile``: providers' invoices and usage exports compared with metered usage."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, TypeVar

import typer
import yaml
from pydantic import ValidationError
from rich.console import Console
from rich.table import Column, Table
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.accounts.principal import COMMAND_LINE
from backend.commands.database import ready_database
from backend.engines.running import running_settings
from backend.errors import ConfigurationError
from backend.metering.reconciliation.imports import import_export, rematch
from backend.metering.reconciliation.report import discrepancies_csv
from backend.metering.reconciliation.store import (
    change_discrepancy,
    find_reconciliation,
    list_discrepancies,
    list_reconciliations,
    remove_reconciliation,
)
from backend.settings import Settings
from backend_client.types.common import plain
from backend_client.types.reconciliation import (
    Discrepancy,
    DiscrepancyChange,
    DiscrepancyStatus,
    ExportFormat,
    Reconciliation,
    ReconciliationOptions,
)

reconcile = typer.Typer(
    no_args_is_help=True, help="Compare providers' invoices and usage exports with metered usage."
)

Answer = TypeVar("Answer")
Id = Annotated[str, typer.Argument(metavar="ID", help="The import, by its id: rec_…")]
Csv = Annotated[bool, typer.Option("--csv", help="Write CSV instead of a table.")]
_ACTOR = "farebox reconcile"
_LISTED = 200
_UNBOUNDED = 1_000
_ID = Column("Id", no_wrap=True, min_width=36)  # whole, or it could not be used


@reconcile.command("import")
def import_file(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="The export, unchanged.")],
    provider: Annotated[
        str, typer.Option(help="The provider: a name in FAREBOX_UPSTREAMS, or openai and the like.")
    ],
    export_format: Annotated[
        ExportFormat | None,
        typer.Option("--format", help="Recognized by the file's shape if none."),
    ] = None,
    options: Annotated[
        Path | None,
        typer.Option(help="YAML or JSON with the rest: time_zone, models, mapping, tolerance…"),
    ] = None,
    csv: Csv = False,
) -> None:
    """Import a file and show what differs. Importing it again changes nothing."""
    wanted = _options(options, provider, export_format)

    async def work(connection: AsyncConnection, settings: Settings) -> tuple[str, bool]:
        with path.open("rb") as file:
            reconciliation, new = await import_export(
                connection, settings, COMMAND_LINE, file, path.name, wanted
            )
        return reconciliation.id, new

    if not path.is_file():
        raise ConfigurationError(f"There is no file {path}.")
    import_id, new = _run(work)
    if not new:
        typer.echo("This file was imported before; nothing changed.", err=True)
    _show(import_id, csv=csv, statuses=[])


@reconcile.command("list")
def list_imports() -> None:
    """List the imports, newest first."""

    async def work(connection: AsyncConnection, settings: Settings) -> list[Reconciliation]:
        return (await list_reconciliations(connection, cursor=None, limit=_LISTED)).items

    reconciliations = _run(work)
    if not reconciliations:
        typer.echo("Nothing was imported yet.")
        return
    table = Table(_ID, "Provider", "File", "Days", "Agree", "Open", "Explained", "Accepted")
    for reconciliation in reconciliations:
        counts = (
            reconciliation.matched,
            reconciliation.open,
            reconciliation.explained,
            reconciliation.accepted,
        )
        days = f"{reconciliation.first_day} to {reconciliation.last_day}"
        table.add_row(
            reconciliation.id,
            reconciliation.provider,
            reconciliation.file_name,
            days,
            *map(str, counts),
        )
    _print(table)


@reconcile.command()
def show(
    reconciliation_id: Id,
    status: Annotated[
        list[DiscrepancyStatus] | None, typer.Option(help="Only this status; repeat for more.")
    ] = None,
    csv: Csv = False,
) -> None:
    """Show what differs, with its likely cause."""
    _show(reconciliation_id, csv=csv, statuses=status or [])


@reconcile.command()
def match(reconciliation_id: Id) -> None:
    """Compare an import with what is metered now. Statuses and notes stay."""

    async def work(connection: AsyncConnection, settings: Settings) -> Reconciliation:
        return await rematch(connection, settings, reconciliation_id)

    typer.echo(_describe(_run(work)))


@reconcile.command()
def remove(
    reconciliation_id: Id,
    yes: Annotated[bool, typer.Option("--yes", help="Don't ask.")] = False,
) -> None:
    """Remove an import with its discrepancies and notes. It can be imported again."""

    async def find(connection: AsyncConnection, settings: Settings) -> Reconciliation:
        return await find_reconciliation(connection, reconciliation_id)

    async def work(connection: AsyncConnection, settings: Settings) -> None:
        await remove_reconciliation(connection, COMMAND_LINE, reconciliation_id)

    if not yes:
        row = _run(find)
        days = f"{row.first_day} to {row.last_day}"
        typer.confirm(f"Remove {row.file_name} of {row.provider}, {days}?", abort=True)
    _run(work)
    typer.echo(f"{reconciliation_id} is removed.")


@reconcile.command()
def note(
    reconciliation_id: Id,
    discrepancy_id: Annotated[
        str, typer.Argument(metavar="DISCREPANCY", help="The discrepancy, by its id: dsc_…")
    ],
    text: Annotated[str, typer.Argument(help="The note: why.")],
    status: Annotated[DiscrepancyStatus, typer.Option(help="The new status.")],
) -> None:
    """Give a discrepancy a status and a note."""

    async def work(connection: AsyncConnection, settings: Settings) -> Discrepancy:
        change = DiscrepancyChange(status=status, note=text)
        return await change_discrepancy(
            connection, _ACTOR, reconciliation_id, discrepancy_id, change
        )

    done = _run(work)
    typer.echo(f"{done.day} {done.model} {done.meter}: {done.status.value}.")


def _options(
    path: Path | None, provider: str, export_format: ExportFormat | None
) -> ReconciliationOptions:
    given: object = {}
    try:
        if path is not None:
            # Values stay text: no number passes through a float.
            given = yaml.CBaseLoader(path.read_bytes()).get_single_data() or {}
        if not isinstance(given, dict):
            raise ConfigurationError(f"{path} must contain options by their names.")
        options = given | {"provider": provider}
        return ReconciliationOptions.model_validate(
            options | ({} if export_format is None else {"format": export_format})
        )
    except OSError as error:
        raise ConfigurationError(f"{path} can't be read: {error.strerror}.") from error
    except yaml.YAMLError as error:
        raise ConfigurationError(f"{path} is not YAML: {error}") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ConfigurationError(f"The options are wrong: {where}: {first['msg']}.") from error


def _show(reconciliation_id: str, *, csv: bool, statuses: list[DiscrepancyStatus]) -> None:
    async def work(
        connection: AsyncConnection, settings: Settings
    ) -> tuple[list[Discrepancy], Reconciliation]:
        page = await list_discrepancies(connection, reconciliation_id, statuses=statuses)
        return page.items, await find_reconciliation(connection, reconciliation_id)

    discrepancies, reconciliation = _run(work)
    if csv:
        typer.echo(discrepancies_csv(discrepancies), nl=False)
        return
    if discrepancies:
        table = Table("Day", "Model", "Meter", "Provider", "Metered", "Cause", "Status", _ID)
        for discrepancy in discrepancies:
            unit = f" {discrepancy.currency}" if discrepancy.currency else ""
            metered = "?" if discrepancy.metered is None else plain(discrepancy.metered) + unit
            table.add_row(
                str(discrepancy.day),
                discrepancy.model,
                discrepancy.meter,
                plain(discrepancy.provider) + unit,
                metered,
                discrepancy.explanation,
                discrepancy.status.value,
                discrepancy.id,
            )
        _print(table)
    typer.echo(_describe(reconciliation))


def _describe(row: Reconciliation) -> str:
    billed = "" if row.billed is None else f" Billed {plain(row.billed)} {row.currency}"
    if row.billed is not None:
        unknown = "; some rates are unknown."
        billed += unknown if row.expected is None else f", expected {plain(row.expected)}."
    served = f" Compared with what {', '.join(row.upstreams)} served." if row.upstreams else ""
    return (
        f"{row.id}: {row.provider}, {row.first_day} to {row.last_day}: {row.matched} agree, "
        f"{row.open} open, {row.explained} explained, {row.accepted} accepted.{billed}{served}"
    )


def _print(table: Table) -> None:
    # If the output is not a terminal, lines are not broken: a program reads them
    width = None if sys.stdout.isatty() else _UNBOUNDED
    Console(width=width, markup=False, emoji=False, highlight=False).print(table)


def _run(work: Callable[[AsyncConnection, Settings], Awaitable[Answer]]) -> Answer:
    async def done() -> Answer:
        settings = running_settings()
        async with ready_database(settings) as database, database.begin() as connection:
            return await work(connection, settings)

    return asyncio.run(done())
