"""What must be in the database before a role serves."""

from __future__ import annotations

from backend.errors import ConfigurationError
from backend.settings import Settings
from backend.storage.database import Database
from backend.storage.migrate import migrate


async def prepare_database(settings: Settings) -> None:
    """Bring the schema up to date, and apply the catalog file if no catalog was applied yet.

    Safe to run from every replica at once.

    Raises:
        ConfigurationError: no database is configured, or the catalog file can't be used.
    """
    if settings.database_url is None:
        raise ConfigurationError(
            "DATABASE_URL is not set. Set it to PostgreSQL's address, or let `farebox up` run one."
        )
    database = Database(settings.database_url, pool_size=1)
    try:
        await migrate(database.engine)
    finally:
        await database.close()
