"""The database that a command works on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy.exc import DBAPIError

from backend.errors import ConfigurationError
from backend.settings import Settings
from backend.storage.database import Database
from backend.storage.migrate import migrate


@asynccontextmanager
async def ready_database(settings: Settings) -> AsyncIterator[Database]:
    """Open the database, with its schema up to date, for as long as the block runs.

    Raises:
        ConfigurationError: none is configured, or it can't be reached or refuses the user.
    """
    if settings.database_url is None:
        raise ConfigurationError(
            "DATABASE_URL is not set. Set it to PostgreSQL's address, or let `farebox up` run one."
        )
    database = Database(settings.database_url, pool_size=1)
    try:
        await migrate(database.engine)
        yield database
    except OSError as error:
        raise ConfigurationError(
            f"PostgreSQL can't be reached ({error}). Is DATABASE_URL right, and the server up?"
        ) from error
    except DBAPIError as error:
        if error.statement is not None:
            raise
        raise ConfigurationError(
            f"PostgreSQL refuses the connection to DATABASE_URL: {error.orig}. Correct the "
            "address, or create the database and the user that it names."
        ) from error
    finally:
        await database.close()
