"""``farebox demo``: labeled sample tenants with months of usage, sent through ingest."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from backend.accounts.keys.operator_keys import temporary_operator_key
from backend.accounts.sessions.sessions import local_person
from backend.demo.accounts import open_tenants, remove_tenants, sample_tenants
from backend.demo.load import all_events, send, until_counted
from backend.demo.measures import forget_measures, measure
from backend.engines.running import running_api_url, running_settings, running_url
from backend.errors import ConfigurationError
from backend.invoices.drafts.billing_cursors import lock_cursors, open_cursors
from backend.settings import Settings
from backend.storage.database import Database
from backend_client import AsyncFareboxClient
from backend_client.types.accounts import Tenant

_MAX_DAYS = 365
_HEADROOM_DAYS = 2


def demo(
    days: Annotated[
        int, typer.Option(min=1, max=_MAX_DAYS, help="Days of usage, up to now.")
    ] = 120,
    seed: Annotated[int, typer.Option(min=0, help="The seed of the random numbers.")] = 1,
    remove: Annotated[
        bool, typer.Option("--remove", help="Remove the sample tenants and all they have.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Remove without asking.")] = False,
) -> None:
    """Load sample usage into the running Farebox: three tenants, labeled as samples.

    Run it again to add usage up to now: nothing counts twice, and earlier usage stays.
    """
    settings = running_settings()
    asyncio.run(_remove(settings, ask=not yes) if remove else _load(settings, days=days, seed=seed))


async def _load(settings: Settings, *, days: int, seed: int) -> None:
    if days + _HEADROOM_DAYS > settings.event_max_age_days:
        raise ConfigurationError(
            f"Ingest accepts no event of more than {settings.event_max_age_days} days ago "
            f"(FAREBOX_EVENT_MAX_AGE_DAYS); ask for fewer than {days}."
        )
    database = _database(settings)
    now = datetime.now(UTC)
    try:
        async with temporary_operator_key(database, "farebox demo") as (key_id, secret):
            async with database.begin() as connection:
                member = None
                if settings.local_sign_in_allowed:
                    member = await local_person(connection)
                opened = await open_tenants(
                    connection, actor=key_id, start=now - timedelta(days=days), member=member
                )
            async with database.begin() as connection:
                await open_cursors(connection)
            async with database.begin() as holding:
                await lock_cursors(holding, [sample.tenant.id for sample in opened])
                to_send = all_events(opened, until=now, seed=seed)
                new = 0
                with _bar() as bar:
                    for sample in opened:
                        events = to_send[sample.tenant.id]
                        task = bar.add_task(sample.tenant.name, total=len(events))
                        async with AsyncFareboxClient(running_api_url(settings), secret) as client:
                            new += await send(client, events, partial(bar.advance, task))
                    total = sum(len(of_tenant) for of_tenant in to_send.values())
                    counting = bar.add_task("Counted", total=total)
                    # Beside the worker, which counts meanwhile
                    await asyncio.gather(
                        until_counted(
                            database, to_send, lambda n: bar.update(counting, completed=n)
                        ),
                        measure(
                            database,
                            opened,
                            to_send,
                            seed=seed,
                            now=now,
                            log_days=settings.request_log_days,
                        ),
                    )
    finally:
        await database.close()
    kept = f", {total - new:,} were there already" if new < total else ""
    typer.echo(f"{new:,} sample events are new{kept}. See them at {running_url(settings)}")
    if member is not None:
        typer.echo("Switch between the sample tenants at the top of the portal's menu.")


async def _remove(settings: Settings, *, ask: bool) -> None:
    database = _database(settings)
    try:
        async with database.begin() as connection:
            tenants = await sample_tenants(connection)
        if not tenants:
            typer.echo("There are no sample tenants.")
            return
        if ask and not _sure(tenants):
            raise typer.Abort
        async with database.begin() as connection:
            await forget_measures(connection, tenants)
            await remove_tenants(connection, tenants)
    finally:
        await database.close()
    typer.echo(f"Removed {', '.join(tenant.slug for tenant in tenants)}.")


def _sure(tenants: list[Tenant]) -> bool:
    names = "\n".join(f"  {tenant.name} ({tenant.slug})" for tenant in tenants)
    return typer.confirm(f"{names}\nRemove these tenants with all their usage?")


def _database(settings: Settings) -> Database:
    if settings.database_url is None:
        raise ConfigurationError("DATABASE_URL is not set.")
    return Database(settings.database_url, pool_size=3)


def _bar() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
    )
