"""Bring the schema up to date. Safe to run from every replica at once."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from backend.errors import ConfigurationError

# Alembic takes a seventh of a second to import, and nearly every process that starts has nothing
# to migrate: it is imported when it is needed
if TYPE_CHECKING:
    from alembic.config import Config

_LOCK = 0x6661_7265_626F_78  # "farebox" in ASCII
_MIGRATIONS: Final = Path(__file__).parent / "migrations"


async def migrate(engine: AsyncEngine) -> None:
    """Run the outstanding Alembic migrations under a PostgreSQL advisory lock.

    Raises ``ConfigurationError`` if a newer Farebox has migrated the database.
    """
    async with engine.begin() as connection:
        if await _revisions(connection) == [newest_revision()]:
            return
        # Transaction-level: released with the transaction even if this process is killed.
        await connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        await connection.run_sync(_upgrade)


def newest_revision() -> str:
    """The revision that this Farebox needs: each is the number that its file's name begins with."""
    files = (_MIGRATIONS / "versions").glob("[0-9]*_*.py")
    return max(file.name for file in files).partition("_")[0]


def alembic_config(connection: Connection) -> Config:
    """Return what Alembic's commands need to work on this connection, in its transaction."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    config.attributes["connection"] = connection
    return config


async def _revisions(connection: AsyncConnection) -> list[str]:
    """The revisions that the database says it has: none before the first migration."""
    if await connection.scalar(text("SELECT to_regclass('alembic_version')")) is None:
        return []
    return list(await connection.scalars(text("SELECT version_num FROM alembic_version")))


def _upgrade(connection: Connection) -> None:
    from alembic import command
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory

    config = alembic_config(connection)
    revisions = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    unknown = set(MigrationContext.configure(connection).get_current_heads()) - revisions
    if unknown:
        raise ConfigurationError(
            f"The database has the schema {', '.join(sorted(unknown))} of a newer Farebox. Start "
            "that one, or restore a backup from before it."
        )
    command.upgrade(config, "head")
