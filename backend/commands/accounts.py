"""``farebox operator-key`` and ``farebox tenant``: accounts, from the operator's own machine."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Annotated, TypeVar

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.table import Table
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.accounts.operator_keys import (
    create_operator_key,
    list_operator_keys,
    revoke_operator_key,
)
from backend.accounts.principal import COMMAND_LINE
from backend.accounts.tenants import delete_tenant, find_tenant, list_tenants
from backend.commands.database import ready_database
from backend.engines.running import running_settings
from backend.errors import CommandError
from backend.settings import Settings
from backend.subscriptions.opening import open_tenant
from backend_client.types.accounts import Tenant, TenantCreate

operator_key = typer.Typer(no_args_is_help=True, help="The operator's own keys.")
tenant = typer.Typer(no_args_is_help=True, help="Tenants: the customers' organizations.")

_PAGE = 200
_WIDE = 1000
Result = TypeVar("Result")


def _in_database(work: Callable[[AsyncConnection], Awaitable[Result]]) -> Result:
    """Do ``work`` in one transaction on the database of the installation on this machine."""

    async def done(settings: Settings) -> Result:
        async with ready_database(settings) as database, database.begin() as connection:
            return await work(connection)

    return asyncio.run(done(running_settings()))


def _show(*columns: str, rows: Sequence[tuple[str, ...]]) -> None:
    table = Table(*columns, box=None, pad_edge=False)
    for row in rows:
        table.add_row(*row)
    # If the output is not a terminal, lines are not broken: a program reads them.
    width = None if sys.stdout.isatty() else _WIDE
    Console(width=width, markup=False, emoji=False, highlight=False).print(table)


def _time(moment: datetime | None) -> str:
    return "" if moment is None else moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")


@operator_key.command("create")
def create_key(
    name: Annotated[str, typer.Argument(help="What the key is for.")],
) -> None:
    """Create a key. Its secret is printed to standard output, once."""

    async def work(connection: AsyncConnection) -> tuple[str, str]:
        return await create_operator_key(connection, name)

    key_id, secret = _in_database(work)
    typer.echo(f"{key_id} was created. Its secret is shown only now:", file=sys.stderr)
    typer.echo(secret)


@operator_key.command("list")
def list_keys() -> None:
    """List all keys, revoked ones included."""
    rows = [
        (key.id, key.name, key.shown, _time(key.created_at), _time(key.revoked_at))
        for key in _in_database(list_operator_keys)
    ]
    _show("ID", "NAME", "KEY", "CREATED", "REVOKED", rows=rows)


@operator_key.command("revoke")
def revoke_key(
    key_id: Annotated[str, typer.Argument(metavar="ID", help="The key's id: key_…")],
) -> None:
    """Revoke a key for good. Calls with it are refused within a second."""

    async def work(connection: AsyncConnection) -> None:
        await revoke_operator_key(connection, key_id)

    _in_database(work)
    typer.echo(f"{key_id} is revoked.")


@tenant.command("create")
def create_tenant(
    slug: Annotated[str, typer.Argument(help="A short name: small letters, digits, hyphens.")],
    name: Annotated[str | None, typer.Option(help="The name to show; the slug if none.")] = None,
    time_zone: Annotated[
        str, typer.Option(help="Where its days and billing periods begin: Europe/Berlin.")
    ] = "UTC",
    currency: Annotated[
        str, typer.Option(help="The currency of its plan and its invoices.")
    ] = "USD",
    plan: Annotated[str | None, typer.Option(help="The catalog's default plan if none.")] = None,
    billing_day: Annotated[
        str | None,
        typer.Option(help="The day of the month that its periods begin with, or: anniversary."),
    ] = None,
) -> None:
    """Create a tenant with its first application, on a plan. Prints its id."""
    try:
        wanted = TenantCreate.model_validate(
            {
                "slug": slug,
                "name": name or slug,
                "time_zone": time_zone,
                "currency": currency,
                "plan": plan,
                "billing_day": billing_day,
            }
        )
    except ValidationError as error:
        first = error.errors()[0]
        raise CommandError(f"{first['loc'][0]}: {first['msg']}") from None

    async def work(connection: AsyncConnection) -> Tenant:
        return await open_tenant(connection, COMMAND_LINE, wanted, datetime.now(UTC))

    typer.echo(_in_database(work).id)


@tenant.command("list")
def show_tenants() -> None:
    """List all tenants, oldest first."""

    async def work(connection: AsyncConnection) -> list[Tenant]:
        tenants: list[Tenant] = []
        cursor = None
        while True:
            page = await list_tenants(connection, cursor=cursor, limit=_PAGE)
            tenants += page.items
            cursor = page.next_cursor
            if cursor is None:
                return tenants

    rows = [
        (
            tenant.id,
            tenant.slug,
            tenant.name,
            tenant.time_zone,
            tenant.currency,
            "sample" if tenant.is_sample else "",
        )
        for tenant in _in_database(work)
    ]
    _show("ID", "SLUG", "NAME", "TIME ZONE", "CURRENCY", "", rows=rows)


@tenant.command("delete")
def remove_tenant(
    id_or_slug: Annotated[str, typer.Argument(metavar="TENANT", help="Its id or slug.")],
    yes: Annotated[bool, typer.Option("--yes", help="Remove without asking.")] = False,
) -> None:
    """Delete a tenant with all that it has except its invoices. This can't be undone."""

    async def find(connection: AsyncConnection) -> Tenant:
        return await find_tenant(connection, id_or_slug)

    doomed = _in_database(find)
    if not yes:
        question = f"Remove {doomed.name} ({doomed.slug}) with all its usage? This can't be undone."
        typer.confirm(question, abort=True)

    async def work(connection: AsyncConnection) -> None:
        await delete_tenant(connection, doomed.id)

    _in_database(work)
    typer.echo(f"Removed {doomed.slug}.")
