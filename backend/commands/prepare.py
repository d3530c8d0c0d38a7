"""What must be in the database before a role serves."""

from __future__ import annotations

import sys

import typer
from sqlalchemy import select
from sqlalchemy.exc import DBAPIError

from backend.billing.catalog import apply_catalog, load_catalog
from backend.errors import ConfigurationError
from backend.settings import Settings
from backend.storage.database import Database
from backend.storage.migrate import migrate
from backend.storage.tables import catalog_state


async def prepare_database(settings: Settings) -> None:
    """Bring the schema up to date, and apply the catalog file if no catalog was applied yet.

    Safe to run from every replica at once: applying the same catalog twice changes nothing.

    Raises:
        ConfigurationError: no database is configured, it can't be reached, or the catalog file
            can't be used.
    """
    if settings.database_url is None:
        raise ConfigurationError(
            "DATABASE_URL is not set. Set it to PostgreSQL's address, or let `farebox up` run one."
        )
    database = Database(settings.database_url, pool_size=1)
    try:
        await migrate(database.engine)
        async with database.begin() as connection:
            if (await connection.execute(select(catalog_state.c.only_row))).first():
                return
            if not settings.catalog.exists():
                typer.echo(
                    f"There is no catalog yet, and no {settings.catalog}: nothing can be sold. "
                    "Write one, then run `farebox catalog apply`.",
                    file=sys.stderr,
                )
                return
            await apply_catalog(connection, load_catalog(settings.catalog))
    except OSError as error:
        raise ConfigurationError(
            f"PostgreSQL can't be reached ({error}). Is DATABASE_URL right, and the server up?"
        ) from error
    except DBAPIError as error:
        if error.statement is not None:
            raise
        raise ConfigurationError(
            f"PostgreSQL lets nobody in at DATABASE_URL: {error.orig}. Correct the address, or "
            "make the database and the user that it names."
        ) from error
    finally:
        await database.close()
