"""Bring the schema up to date. Safe to run from every replica at once."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncEngine

from backend.errors import ConfigurationError

_LOCK = 0x6661_7265_626F_78  # "farebox" in ASCII


async def migrate(engine: AsyncEngine) -> None:
    """Run the outstanding Alembic migrations under a PostgreSQL advisory lock.

    Raises ``ConfigurationError`` if a newer Farebox has migrated the database.
    """
    async with engine.begin() as connection:
        # Transaction-level: released with the transaction even if this process is killed.
        await connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        await connection.run_sync(_upgrade)


def alembic_config(connection: Connection) -> Config:
    """Return what Alembic's commands need to work on this connection, in its transaction."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    return config


def _upgrade(connection: Connection) -> None:
    config = alembic_config(connection)
    revisions = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    unknown = set(MigrationContext.configure(connection).get_current_heads()) - revisions
    if unknown:
        raise ConfigurationError(
            f"The database has the schema {', '.join(sorted(unknown))} of a newer Farebox. Start "
            "that one, or restore a backup from before it."
        )
    command.upgrade(config, "head")
