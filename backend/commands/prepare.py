"""What must be in the database before a role serves."""

from __future__ import annotations

import sys

import typer
from sqlalchemy import select

from backend.accounts.principal import COMMAND_LINE
from backend.catalog.published import load_catalog
from backend.catalog.publishing import publish_catalog
from backend.commands.database import ready_database
from backend.settings import Settings
from backend.storage.tables import catalog_state


async def prepare_database(settings: Settings) -> None:
    """Bring the schema up to date, and apply the catalog file if no catalog was applied yet.

    Safe to run from every replica at once: applying the same catalog twice changes nothing.

    Raises:
        ConfigurationError: no database is configured, it can't be reached, or the catalog file
            can't be used.
    """
    async with ready_database(settings) as database, database.begin() as connection:
        if (await connection.execute(select(catalog_state.c.only_row))).first():
            return
        if not settings.catalog.exists():
            typer.echo(
                f"There is no catalog yet, and no {settings.catalog}: nothing can be sold. "
                "Write one, then run `farebox catalog apply`.",
                file=sys.stderr,
            )
            return
        await publish_catalog(connection, COMMAND_LINE, load_catalog(settings.catalog))
