"""``farebox key``: customers' API keys, from the operator's own machine."""

from __future__ import annotations

from functools import partial
from typing import Annotated

import typer
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.accounts.keys import change_key, list_keys
from backend.accounts.principal import COMMAND_LINE
from backend.accounts.tenants import find_tenant
from backend.commands.accounts import PAGE, all_pages, checked, in_database, show, time_of
from backend_client.types.accounts import ApiKey, ApiKeyChange

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


def _change(id_or_slug: str, key_id: str, change: ApiKeyChange) -> ApiKey:
    async def work(connection: AsyncConnection) -> ApiKey:
        tenant = await find_tenant(connection, id_or_slug)
        return await change_key(connection, COMMAND_LINE.acting_for(tenant.id), key_id, change)

    return in_database(work)
