"""``farebox platform``: what billing platforms can rate, and what is sent to them."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Annotated

import typer

from backend.accounts.tenants import find_tenant
from backend.catalog.published import latest_plan
from backend.commands.database import ready_database
from backend.engines.running import running_settings
from backend.errors import CommandError
from backend.outbox.channels.channel import NotDelivered
from backend.platforms.comparing.verifying import connection_rows
from backend.platforms.comparing.verifying import verify as verify_connection
from backend.platforms.configured import adapter_of, open_adapters
from backend.platforms.connections import backfill as queue_backfill
from backend.platforms.connections import connect as connect_tenant
from backend.platforms.connections import disconnect as disconnect_tenant
from backend.platforms.connections import list_connections
from backend.platforms.errors import PlatformNotConfigured
from backend.platforms.queries import (
    list_dispatches,
    list_drift,
    platform_statuses,
    replay_all,
)
from backend.platforms.queries import skip as skip_dispatch
from backend.platforms.receiving.polling import poll
from backend.platforms.sending.rehearsing import rehearse
from backend.platforms.sending.sending import Sending
from backend.settings import Settings
from backend_client.types.platforms import (
    Dispatch,
    DispatchState,
    PlatformConnect,
    PlatformConnection,
    PlatformDrift,
    PlatformMode,
    PlatformName,
    PlatformStatus,
)

platform = typer.Typer(
    no_args_is_help=True,
    help="Billing platforms: what they can rate, what is sent to them, and what differs.",
)

Tenant = Annotated[str, typer.Argument(help="The tenant's id or slug.")]
Name = Annotated[str, typer.Option("--platform", help="Which platform.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print each request, and change nothing.")]
_PAGE = 200


@platform.command()
def status() -> None:
    """Show each platform, what waits for it, and what differs."""
    for of in asyncio.run(_statuses(running_settings())):
        typer.echo(
            f"{of.platform}: {'configured' if of.configured else 'no key'}, "
            f"{of.connections} tenants, {of.waiting} waiting ({of.lag_seconds:.0f} s), "
            f"{of.refused} refused, {of.drift} differ"
        )


@platform.command()
def plan(
    plan_id: Annotated[str, typer.Argument(metavar="PLAN", help="The plan's id.")],
    name: Name = "stripe",
) -> None:
    """Tell whether a platform can rate a plan's usage; if not, end with 1."""
    obstacles = asyncio.run(_obstacles(running_settings(), plan_id, name))
    for obstacle in obstacles:
        typer.echo(obstacle)
    if obstacles:
        raise typer.Exit(1)
    typer.echo(f"{name} can rate {plan_id}.")


@platform.command()
def connect(
    tenant: Tenant,
    name: Name = "stripe",
    mode: Annotated[
        PlatformMode, typer.Option(help="Whether our invoices are pushed, or usage is rated there.")
    ] = PlatformMode.INVOICES,
    starts_at: Annotated[
        datetime | None,
        typer.Option("--from", formats=["%Y-%m-%d"], help="Since when; UTC. Now if none is given."),
    ] = None,
) -> None:
    """Have a platform collect from a tenant. What did so before collects until then."""
    wanted = PlatformConnect(
        platform=PlatformName(name),
        mode=mode,
        starts_at=None if starts_at is None else starts_at.replace(tzinfo=UTC),
    )
    on = asyncio.run(_connect(running_settings(), tenant, wanted))
    typer.echo(f"{on.platform} collects by {on.mode} from {on.starts_at.isoformat()}")


@platform.command()
def disconnect(tenant: Tenant) -> None:
    """Have no platform collect from a tenant from now on; from a period's end where it rates."""
    ends = asyncio.run(_disconnect(running_settings(), tenant))
    typer.echo("No platform collects" + (f" from {ends.isoformat()}" if ends else ""))


@platform.command()
def refused(tenant: Tenant) -> None:
    """List what a tenant's platform refused, with the reason."""
    for of in asyncio.run(_refused(running_settings(), tenant)):
        typer.echo(f"{of.id} {of.action} {of.subject}: {of.reason}")


@platform.command()
def skip(
    dispatch: Annotated[str, typer.Argument(metavar="DISPATCH", help="The refused dispatch's id.")],
    reason: Annotated[str, typer.Option(help="Why it is not to be sent.")],
) -> None:
    """Leave out what was refused: what waits for it goes on, and the difference shows as drift."""
    asyncio.run(_skip(running_settings(), dispatch, reason))
    typer.echo("It is left out.")


@platform.command()
def push(tenant: Tenant, dry_run: DryRun = False) -> None:
    """Send what waits for a tenant's platform now, rather than with the worker's next pass."""
    if dry_run:
        asyncio.run(_rehearse(running_settings(), tenant, "waiting"))
        return
    typer.echo(f"{asyncio.run(_push(running_settings(), tenant))} tried")


@platform.command()
def backfill(
    tenant: Tenant,
    since: Annotated[
        datetime, typer.Option(formats=["%Y-%m-%d"], help="Invoices issued since; UTC.")
    ],
    dry_run: DryRun = False,
) -> None:
    """Queue a tenant's open invoices that its platform does not have. It may be repeated."""
    moment = since.replace(tzinfo=UTC)
    queued = asyncio.run(_backfill(running_settings(), tenant, moment, dry_run=dry_run))
    typer.echo(f"{queued} {'would be' if dry_run else 'are'} queued")


@platform.command()
def replay(
    tenant: Tenant,
    name: Name = "stripe",
    dry_run: DryRun = False,
) -> None:
    """Send a tenant's refused dispatches again, once the cause is mended."""
    if dry_run:
        asyncio.run(_rehearse(running_settings(), tenant, "refused"))
        return
    again = asyncio.run(_replay(running_settings(), tenant, name))
    typer.echo(f"{again} are queued again")


@platform.command()
def verify(
    tenant: Annotated[
        str | None, typer.Argument(help="The tenant's id or slug; all if none.")
    ] = None,
    name: Name = "stripe",
) -> None:
    """Compare both sides now, and show what differs; end with 1 if anything does."""
    differences = asyncio.run(_verify(running_settings(), tenant, name))
    for of in differences:
        typer.echo(f"{of.tenant_id} {of.kind} {of.subject}: {of.cause}: {of.detail}")
    if differences:
        raise typer.Exit(1)
    typer.echo("Both sides agree.")


async def _statuses(settings: Settings) -> list[PlatformStatus]:
    async with ready_database(settings) as database, database.begin() as connection:
        adapters = open_adapters(database, settings)
        return await platform_statuses(connection, adapters, datetime.now(UTC))


async def _obstacles(settings: Settings, plan_id: str, name: str) -> list[str]:
    async with ready_database(settings) as database, database.begin() as connection:
        definition = (await latest_plan(connection, plan_id)).definition
        adapter = adapter_of(open_adapters(database, settings), name)
        return adapter.obstacles(definition, definition.currency)


async def _connect(settings: Settings, tenant: str, wanted: PlatformConnect) -> PlatformConnection:
    async with ready_database(settings) as database:
        adapters = open_adapters(database, settings)
        try:
            adapter = adapter_of(adapters, wanted.platform.value)
            async with database.begin() as connection:
                return await connect_tenant(connection, tenant, wanted, adapter, datetime.now(UTC))
        finally:
            for opened in adapters.values():
                await opened.close()


async def _disconnect(settings: Settings, tenant: str) -> datetime | None:
    async with ready_database(settings) as database, database.begin() as connection:
        whose = await find_tenant(connection, tenant)
        await disconnect_tenant(connection, whose.id, datetime.now(UTC))
        connections = await list_connections(connection, whose.id)
        return connections[0].ends_at if connections else None


async def _refused(settings: Settings, tenant: str) -> list[Dispatch]:
    async with ready_database(settings) as database, database.begin() as connection:
        whose = await find_tenant(connection, tenant)
        page = await list_dispatches(
            connection,
            tenant_id=whose.id,
            state=DispatchState.REFUSED,
            cursor=None,
            limit=_PAGE,
        )
        return page.items


async def _skip(settings: Settings, dispatch_id: str, reason: str) -> None:
    async with ready_database(settings) as database, database.begin() as connection:
        await skip_dispatch(connection, dispatch_id, reason)


async def _rehearse(settings: Settings, tenant: str, state: str) -> None:
    async with ready_database(settings) as database:
        async with database.begin() as connection:
            whose = await find_tenant(connection, tenant)
        for fact, requests, why in await rehearse(database, settings, whose.id, state):
            typer.echo(f"{fact}{f': {why}' if why else ''}")
            for request in requests:
                typer.echo(f"  {request.method} {request.path}")
                for line in request.lines:
                    typer.echo(f"    {line}")


async def _push(settings: Settings, tenant: str) -> int:
    async with ready_database(settings) as database:
        async with database.begin() as connection:
            whose = await find_tenant(connection, tenant)
        adapters = open_adapters(database, settings)
        if not adapters:
            raise PlatformNotConfigured("No key of a platform is set: nothing can be sent.")
        sending, tried = Sending(database, adapters), 0
        while batch := await sending.send_due(asyncio.Event(), whose.id):
            tried += batch
        for adapter in adapters.values():
            await adapter.close()
        return tried


async def _backfill(settings: Settings, tenant: str, since: datetime, *, dry_run: bool) -> int:
    async with ready_database(settings) as database, database.engine.connect() as connection:
        async with connection.begin() as transaction:
            whose = await find_tenant(connection, tenant)
            queued = await queue_backfill(connection, whose.id, since, datetime.now(UTC))
            if dry_run:
                await transaction.rollback()
        return queued


async def _replay(settings: Settings, tenant: str, name: str) -> int:
    async with ready_database(settings) as database, database.begin() as connection:
        whose = await find_tenant(connection, tenant)
        return await replay_all(connection, name, whose.id, datetime.now(UTC))


async def _verify(settings: Settings, tenant: str | None, name: str) -> list[PlatformDrift]:
    async with ready_database(settings) as database:
        tenant_id = None
        if tenant is not None:
            async with database.begin() as connection:
                tenant_id = (await find_tenant(connection, tenant)).id
        adapter = adapter_of(open_adapters(database, settings), name)
        try:
            for row in await connection_rows(database, name, tenant_id):
                await poll(database, settings, adapter, row, datetime.now(UTC))
                await verify_connection(database, adapter, row, datetime.now(UTC))
        except NotDelivered as failure:
            raise CommandError(failure.reason) from failure
        finally:
            await adapter.close()
        async with database.begin() as connection:
            page = await list_drift(connection, tenant_id=tenant_id, cursor=None, limit=_PAGE)
        return page.items
