"""``farebox operator-key`` and ``farebox tenant``: accounts, from the operator's own machine."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Annotated, TypeVar

import typer
from pydantic import BaseModel, ValidationError
from rich.console import Console
from rich.table import Table
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.accounts.keys.operator_keys import (
    create_operator_key,
    list_operator_keys,
    revoke_operator_key,
)
from backend.accounts.principal import COMMAND_LINE
from backend.accounts.tenants import delete_tenant, find_tenant, list_tenants
from backend.commands.database import ready_database
from backend.customers.inviting import invite_for
from backend.engines.running import running_settings
from backend.errors import CommandError
from backend.settings import Settings
from backend.subscriptions.opening import open_tenant
from backend_client.types.accounts import (
    InvitationCreate,
    InvitationCreated,
    Role,
    Tenant,
    TenantCreate,
    TenantCreated,
)
from backend_client.types.common import Page
from backend_client.types.operator_keys import (
    OperatorKey,
    OperatorKeyCreate,
    OperatorKeyCreated,
    OperatorScope,
)
from edge.log_bounds import on_one_line

operator_key = typer.Typer(no_args_is_help=True, help="The operator's own keys.")
tenant = typer.Typer(no_args_is_help=True, help="Tenants: the customers' organizations.")

PAGE = 200
_WIDE = 1000
Result = TypeVar("Result")
Body = TypeVar("Body", bound=BaseModel)
Item = TypeVar("Item")


def in_database(work: Callable[[AsyncConnection], Awaitable[Result]]) -> Result:
    """Do ``work`` in one transaction on the database of the installation on this machine."""

    async def done(settings: Settings) -> Result:
        async with ready_database(settings) as database, database.begin() as connection:
            return await work(connection)

    return asyncio.run(done(running_settings()))


def show(*columns: str, rows: Sequence[tuple[str, ...]]) -> None:
    """Print rows under their headings."""
    table = Table(*columns, box=None, pad_edge=False)
    for row in rows:
        table.add_row(*map(on_one_line, row))
    # If the output is not a terminal, lines are not broken: a program reads them.
    width = None if sys.stdout.isatty() else _WIDE
    Console(width=width, markup=False, emoji=False, highlight=False).print(table)


def checked(kind: type[Body], values: Mapping[str, object]) -> Body:
    """Return what a command's options say; raise ``CommandError`` naming the first wrong one."""
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        raise CommandError(f"{first['loc'][0]}: {first['msg']}") from None


async def all_pages(list_page: Callable[..., Awaitable[Page[Item]]]) -> list[Item]:
    """Return the items of every page, which ``list_page`` returns for its ``cursor``."""
    items: list[Item] = []
    cursor = None
    while True:
        page = await list_page(cursor=cursor)
        items += page.items
        cursor = page.next_cursor
        if cursor is None:
            return items


def time_of(moment: datetime | None) -> str:
    """Write a moment of UTC for a table; nothing for none."""
    return "" if moment is None else moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")


@operator_key.command("create")
def create_key(
    name: Annotated[str, typer.Argument(help="What the key is for.")],
    scope: Annotated[
        list[OperatorScope],
        typer.Option(help="What it may do; give it again for several.", show_choices=True),
    ],
    expires_in_days: Annotated[
        int | None, typer.Option(min=1, help="After how many days it ends; never if not given.")
    ] = None,
) -> None:
    """Create a key. Its secret is printed to standard output, once."""
    end = None if expires_in_days is None else datetime.now(UTC) + timedelta(days=expires_in_days)
    wanted = checked(OperatorKeyCreate, {"name": name, "scopes": scope, "expires_at": end})

    async def work(connection: AsyncConnection) -> OperatorKeyCreated:
        return await create_operator_key(connection, COMMAND_LINE, wanted)

    created = in_database(work)
    typer.echo(f"{created.id} was created. Its secret is shown only now:", file=sys.stderr)
    typer.echo(created.secret)


@operator_key.command("list")
def list_keys() -> None:
    """List all keys, revoked ones included."""

    async def work(connection: AsyncConnection) -> list[OperatorKey]:
        return await all_pages(partial(list_operator_keys, connection, limit=PAGE))

    rows = [
        (
            key.id,
            key.name,
            f"{key.prefix}…{key.last_four}",
            ",".join(key.scopes),
            *map(time_of, (key.created_at, key.expires_at, key.last_used_at, key.revoked_at)),
        )
        for key in in_database(work)
    ]
    columns = ("ID", "NAME", "KEY", "SCOPES", "CREATED", "EXPIRES", "LAST USED", "REVOKED")
    show(*columns, rows=rows)


@operator_key.command("revoke")
def revoke_key(
    key_id: Annotated[str, typer.Argument(metavar="ID", help="The key's id: key_…")],
) -> None:
    """Revoke a key for good. Calls with it are refused within a second."""

    async def work(connection: AsyncConnection) -> None:
        await revoke_operator_key(connection, COMMAND_LINE, key_id)

    in_database(work)
    typer.echo(f"{key_id} is revoked.")


@tenant.command("create")
def create_tenant(
    slug: Annotated[str, typer.Argument(help="A short name: small letters, digits, hyphens.")],
    name: Annotated[str | None, typer.Option(help="The name to show; the slug if none.")] = None,
    time_zone: Annotated[
        str | None,
        typer.Option(
            help="Where its days and billing periods begin: Europe/Berlin; the default if none."
        ),
    ] = None,
    currency: Annotated[
        str | None,
        typer.Option(help="The currency of its plan and its invoices; the default if none."),
    ] = None,
    plan: Annotated[str | None, typer.Option(help="The catalog's default plan if none.")] = None,
    billing_day: Annotated[
        str | None,
        typer.Option(help="The day of the month that its periods begin with, or: anniversary."),
    ] = None,
    owner: Annotated[
        str | None,
        typer.Option(help="The address of its first owner, who accepts by signing in with it."),
    ] = None,
) -> None:
    """Create a tenant with its first application, on a plan. Prints its id.

    The link of an owner's invitation is printed below it, this once.
    """
    wanted = checked(
        TenantCreate,
        {
            "slug": slug,
            "name": name or slug,
            "time_zone": time_zone,
            "currency": currency,
            "plan": plan,
            "billing_day": billing_day,
            "owner": owner,
        },
    )

    settings = running_settings()

    async def work(connection: AsyncConnection) -> TenantCreated:
        return await open_tenant(connection, settings, COMMAND_LINE, wanted, datetime.now(UTC))

    created = in_database(work)
    typer.echo(created.id)
    if created.invitation is not None:
        _show_link(created.invitation)


@tenant.command("invite")
def invite_member(
    id_or_slug: Annotated[str, typer.Argument(metavar="TENANT", help="Its id or slug.")],
    email: Annotated[str, typer.Argument(help="Who signs in with this verified address.")],
    role: Annotated[str, typer.Option(help="The role that they get.")] = Role.OWNER.value,
) -> None:
    """Invite somebody to a tenant. Prints the link, this once."""
    wanted = checked(InvitationCreate, {"email": email, "role": role})
    settings = running_settings()

    async def work(connection: AsyncConnection) -> InvitationCreated:
        tenant = await find_tenant(connection, id_or_slug)
        caller = COMMAND_LINE.acting_for(tenant.id)
        return await invite_for(connection, settings, caller, tenant, wanted)

    _show_link(in_database(work))


def _show_link(invitation: InvitationCreated) -> None:
    about = f"{invitation.email} is invited as {invitation.role.value}, until"
    typer.echo(f"{about} {time_of(invitation.expires_at)}. The link, shown only now:", err=True)
    typer.echo(invitation.link)


@tenant.command("list")
def show_tenants() -> None:
    """List all tenants, oldest first."""

    async def work(connection: AsyncConnection) -> list[Tenant]:
        return await all_pages(partial(list_tenants, connection, limit=PAGE))

    rows = [
        (
            tenant.id,
            tenant.slug,
            tenant.name,
            tenant.time_zone,
            tenant.currency,
            "sample" if tenant.is_sample else "",
        )
        for tenant in in_database(work)
    ]
    show("ID", "SLUG", "NAME", "TIME ZONE", "CURRENCY", "", rows=rows)


@tenant.command("delete")
def remove_tenant(
    id_or_slug: Annotated[str, typer.Argument(metavar="TENANT", help="Its id or slug.")],
    yes: Annotated[bool, typer.Option("--yes", help="Remove without asking.")] = False,
) -> None:
    """Delete a tenant with all that it has except its invoices. This can't be undone."""

    async def find(connection: AsyncConnection) -> Tenant:
        return await find_tenant(connection, id_or_slug)

    doomed = in_database(find)
    if not yes:
        name = on_one_line(doomed.name)
        question = f"Remove {name} ({doomed.slug}) with all its usage? This can't be undone."
        typer.confirm(question, abort=True)

    async def work(connection: AsyncConnection) -> None:
        await delete_tenant(connection, COMMAND_LINE, doomed.id)

    in_database(work)
    typer.echo(f"Removed {doomed.slug}.")
