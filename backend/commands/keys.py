"""``farebox key``: customers' API keys, from the operator's own machine."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from functools import partial
from typing import Annotated

import typer
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.accounts.keys.keys import change_key, list_keys
from backend.accounts.principal import COMMAND_LINE
from backend.accounts.tenants import find_tenant
from backend.commands.accounts import PAGE, all_pages, checked, in_database, show, time_of
from backend.customers.leaked_keys import Place, end_leaked
from backend.engines.running import running_settings
from backend.errors import CommandError
from backend_client.types.accounts import ApiKey, ApiKeyChange
from backend_client.types.leaked_keys import LeakedKey

key = typer.Typer(no_args_is_help=True, help="Customers' API keys.")

TenantNamed = Annotated[str, typer.Argument(metavar="TENANT", help="Its id or slug.")]
KeyNamed = Annotated[str, typer.Argument(metavar="KEY", help="The key's id: key_…")]


@key.command("list")
def list_tenants_keys(id_or_slug: TenantNamed) -> None:
    """List a tenant's keys, newest first, revoked ones included."""

    async def work(connection: AsyncConnection) -> list[ApiKey]:
        tenant = await find_tenant(connection, id_or_slug)
        return await all_pages(partial(list_keys, connection, tenant.id, limit=PAGE))

    rows = [
        (
            key.id,
            key.name,
            f"{key.prefix}…{key.last_four}",
            ",".join(key.scopes),
            ",".join(key.addresses or ["any"]),
            ",".join(key.origins or []),
            *map(time_of, (key.last_used_at, key.disabled_at, key.revoked_at)),
        )
        for key in in_database(work)
    ]
    columns = ("ID", "NAME", "KEY", "SCOPES", "ADDRESSES", "WEB PAGES")
    show(*columns, "LAST USED", "DISABLED", "REVOKED", rows=rows)


@key.command("addresses")
def set_addresses(
    id_or_slug: TenantNamed,
    key_id: KeyNamed,
    networks: Annotated[
        list[str] | None,
        typer.Argument(metavar="NETWORK", help="Such as 203.0.113.0/24; any if none is given."),
    ] = None,
) -> None:
    """Say which networks a key is taken from."""
    changed = _change(id_or_slug, key_id, checked(ApiKeyChange, {"addresses": networks or None}))
    typer.echo(f"{key_id} is taken from {', '.join(changed.addresses or ['any address'])}.")


@key.command("origins")
def set_origins(
    id_or_slug: TenantNamed,
    key_id: KeyNamed,
    origins: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="ORIGIN",
            help="Such as https://app.example.com, or * for any page; "
            "those of FAREBOX_WEB_ORIGINS if none is given.",
        ),
    ] = None,
) -> None:
    """Say which web pages a key is taken from."""
    changed = _change(id_or_slug, key_id, checked(ApiKeyChange, {"origins": origins or None}))
    pages = ", ".join(changed.origins or ["those that the installation allows"])
    typer.echo(f"The web pages that {key_id} is taken from: {pages}.")


@key.command("leaked")
def end_leaked_key(
    url: Annotated[str, typer.Option(help="Where it was found, for its owners.")] = "",
) -> None:
    """End a key whose secret was found in public, and notify its owners.

    The secret is asked for, or read from standard input: in an argument others could see it.
    """
    if sys.stdin.isatty():
        secret = str(typer.prompt("Secret", hide_input=True, err=True))
    else:
        secret = sys.stdin.readline()
    settings = running_settings()

    async def work(connection: AsyncConnection) -> LeakedKey | None:
        now = datetime.now(UTC)
        return await end_leaked(connection, settings, COMMAND_LINE, secret.strip(), Place(url), now)

    ended = in_database(work)
    if ended is None:
        raise CommandError("Nobody has such a key.")
    of = "the operator" if ended.tenant_id is None else ended.tenant_id
    outcome = "worked no more" if ended.outcome == "none" else ended.outcome.replace("_", " ")
    typer.echo(f"{ended.key_id} of {of}: {outcome}.")


def _change(id_or_slug: str, key_id: str, change: ApiKeyChange) -> ApiKey:
    async def work(connection: AsyncConnection) -> ApiKey:
        tenant = await find_tenant(connection, id_or_slug)
        return await change_key(connection, COMMAND_LINE.acting_for(tenant.id), key_id, change)

    return in_database(work)
