"""``farebox reconcile``: providers' invoices and usage exports against what was metered."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, TypeVar

import typer
import yaml
from pydantic import ValidationError
from rich.console import Console
from rich.table import Table
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.commands.database import ready_database
from backend.engines.running import running_settings
from backend.errors import ConfigurationError
from backend.metering.reconciliation.imports import import_export, match_again
from backend.metering.reconciliation.report import discrepancies_csv
from backend.metering.reconciliation.store import (
    change_discrepancy,
    find_reconciliation,
    list_discrepancies,
    list_reconciliations,
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
    no_args_is_help=True, help="Providers' invoices and usage exports against what was metered."
)

Answer = TypeVar("Answer")
Id = Annotated[str, typer.Argument(metavar="ID", help="The import, by its id: rec_…")]
Csv = Annotated[bool, typer.Option("--csv", help="Write CSV instead of a table.")]
_ACTOR = "farebox reconcile"
_LISTED = 200


@reconcile.command("import")
def import_file(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="The export, as it was downloaded.")],
    provider: Annotated[
        str, typer.Option(help="Whose it is: a name in FAREBOX_UPSTREAMS, or openai and the like.")
    ],
    export_format: Annotated[
        ExportFormat | None, typer.Option("--format", help="Told by the file's shape if none.")
    ] = None,
    options: Annotated[
        Path | None,
        typer.Option(help="YAML or JSON with the rest: time_zone, models, mapping, tolerance…"),
    ] = None,
    csv: Csv = False,
) -> None:
    """Import a file and show what differs. The same file again changes nothing."""
    wanted = _options(options, provider, export_format)

    async def work(connection: AsyncConnection, settings: Settings) -> tuple[str, bool]:
        with path.open("rb") as file:
            made, new = await import_export(connection, settings, _ACTOR, file, path.name, wanted)
        return made.id, new

    if not path.is_file():
        raise ConfigurationError(f"There is no file {path}.")
    made_id, new = _run(work)
    if not new:
        typer.echo("This file was imported before; nothing changed.", err=True)
    _show(made_id, csv=csv, statuses=[])


@reconcile.command("list")
def list_imports() -> None:
    """List the imports, newest first."""

    async def work(connection: AsyncConnection, settings: Settings) -> list[Reconciliation]:
        return (await list_reconciliations(connection, cursor=None, limit=_LISTED)).items

    found = _run(work)
    if not found:
        typer.echo("Nothing was imported yet.")
        return
    table = Table("Id", "Provider", "File", "Days", "Agree", "Open", "Explained", "Accepted")
    for one in found:
        counts = (one.matched, one.open, one.explained, one.accepted)
        days = f"{one.first_day} to {one.last_day}"
        table.add_row(one.id, one.provider, one.file_name, days, *map(str, counts))
    Console().print(table)


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
        return await match_again(connection, settings, reconciliation_id)

    typer.echo(_told(_run(work)))


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
            # As it is written: no number of it passes through a float.
            given = yaml.BaseLoader(path.read_bytes()).get_single_data() or {}
        if not isinstance(given, dict):
            raise ConfigurationError(f"{path} must hold options by their names.")
        told = given | {"provider": provider}
        return ReconciliationOptions.model_validate(
            told | ({} if export_format is None else {"format": export_format})
        )
    except OSError as error:
        raise ConfigurationError(f"{path} can't be read: {error.strerror}.") from error
    except yaml.YAMLError as error:
        raise ConfigurationError(f"{path} is no YAML: {error}") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ConfigurationError(f"The options are wrong: {where}: {first['msg']}.") from error


def _show(reconciliation_id: str, *, csv: bool, statuses: list[DiscrepancyStatus]) -> None:
    async def work(
        connection: AsyncConnection, settings: Settings
    ) -> tuple[list[Discrepancy], Reconciliation]:
        found = await list_discrepancies(connection, reconciliation_id, statuses=statuses)
        return found.items, await find_reconciliation(connection, reconciliation_id)

    found, told = _run(work)
    if csv:
        typer.echo(discrepancies_csv(found), nl=False)
        return
    if found:
        table = Table("Day", "Model", "Meter", "Provider", "Metered", "Cause", "Status", "Id")
        for one in found:
            unit = f" {one.currency}" if one.currency else ""
            metered = "?" if one.metered is None else plain(one.metered) + unit
            table.add_row(
                str(one.day),
                one.model,
                one.meter,
                plain(one.provider) + unit,
                metered,
                one.explanation,
                one.status.value,
                one.id,
            )
        Console().print(table)
    typer.echo(_told(told))


def _told(one: Reconciliation) -> str:
    billed = "" if one.billed is None else f" Billed {plain(one.billed)} {one.currency}"
    if one.billed is not None:
        unknown = "; some rates are unknown."
        billed += unknown if one.expected is None else f", expected {plain(one.expected)}."
    return (
        f"{one.id}: {one.provider}, {one.first_day} to {one.last_day}: {one.matched} agree, "
        f"{one.open} open, {one.explained} explained, {one.accepted} accepted.{billed}"
    )


def _run(work: Callable[[AsyncConnection, Settings], Awaitable[Answer]]) -> Answer:
    async def done() -> Answer:
        settings = running_settings()
        async with ready_database(settings) as database, database.begin() as connection:
            return await work(connection, settings)

    return asyncio.run(done())
