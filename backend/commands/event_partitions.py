"""``farebox events partition``: divides the table of events, for large databases."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from backend.commands.database import ready_database
from backend.engines.running import running_settings
from backend.metering.counting.partitions import (
    MOST_PARTITIONS,
    Partition,
    list_partitions,
    partition_events,
)

_MEBIBYTE = 2**20


def partition(
    count: Annotated[
        int | None,
        typer.Argument(help=f"How many partitions, up to {MOST_PARTITIONS}; 1 for none."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Don't ask.")] = False,
) -> None:
    """Divide the table of events into partitions by tenant, or list them.

    The events are copied, which takes time and as much disk space again. They can be read
    meanwhile; events that arrive are counted afterwards.
    """
    if count is None:
        _show(asyncio.run(_list()))
        return
    if not yes:
        typer.confirm("Nothing is counted until all events are copied. Continue?", abort=True)
    with Console(stderr=True).status("Copying the events"):
        copied = asyncio.run(_partition(count))
    typer.echo(f"{copied:,} events in {count} partitions." if count > 1 else f"{copied:,} events.")


def _show(partitions: list[Partition]) -> None:
    table = Table("partition", "events, about", "MiB with indexes")
    for partition in partitions:
        table.add_row(
            partition.name, f"{partition.event_count:,}", f"{partition.size_bytes / _MEBIBYTE:,.1f}"
        )
    Console().print(table)


async def _list() -> list[Partition]:
    async with ready_database(running_settings()) as database, database.begin() as connection:
        return await list_partitions(connection)


async def _partition(count: int) -> int:
    async with ready_database(running_settings()) as database, database.begin() as connection:
        return await partition_events(connection, count)
