"""``farebox usage``: compare rollups with events, and repair them."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.accounts.tenants import find_tenant
from backend.commands.database import ready_database
from backend.engines.running import running_settings
from backend.metering.counting.rebuild import rebuild_usage
from backend.storage.tables import tenants

usage = typer.Typer(no_args_is_help=True, help="Metered usage.")
usage.callback()(lambda: None)  # keeps a single command a command

_DATE = ["%Y-%m-%d"]


@usage.command()
def rebuild(
    tenant: Annotated[str | None, typer.Option(help="Id or slug; all tenants if none.")] = None,
    start: Annotated[datetime | None, typer.Option("--from", formats=_DATE, help="UTC.")] = None,
    end: Annotated[
        datetime | None, typer.Option("--to", formats=_DATE, help="UTC, exclusive.")
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Only show what differs; change nothing.")
    ] = False,
) -> None:
    """Sum the events again and repair rollups that differ. Events may arrive meanwhile.

    Archived events are not included: their rollups stay as they are.
    """
    wrong = asyncio.run(_rebuild(tenant, start, end, check=check))
    outcome = "differ from the events" if check else "differed from the events and were repaired"
    typer.echo(f"{wrong:,} rollups {outcome}." if wrong else "All rollups agree with the events.")
    if wrong and check:
        raise typer.Exit(1)


async def _rebuild(
    tenant: str | None, start: datetime | None, end: datetime | None, *, check: bool
) -> int:
    wrong = 0
    async with ready_database(running_settings()) as database:
        async with database.begin() as connection:
            wanted = await _tenants(connection, tenant)
        with _progress() as progress:
            task = progress.add_task("")
            async with database.raw() as raw:
                for tenant_id, slug in wanted:
                    async for day in rebuild_usage(
                        raw,
                        tenant_id,
                        start=start and start.replace(tzinfo=UTC),
                        end=end and end.replace(tzinfo=UTC),
                        repair=not check,
                    ):
                        wrong += day.wrong
                        progress.update(task, description=f"{slug} {day.start:%Y-%m-%d}")
    return wrong


async def _tenants(connection: AsyncConnection, named: str | None) -> list[tuple[str, str]]:
    if named is not None:
        tenant = await find_tenant(connection, named)
        return [(tenant.id, tenant.slug)]
    rows = await connection.execute(select(tenants.c.id, tenants.c.slug).order_by(tenants.c.slug))
    return [(tenant_id, slug) for tenant_id, slug in rows]


def _progress() -> Progress:
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        TimeElapsedColumn(),
        console=Console(stderr=True),
    )
