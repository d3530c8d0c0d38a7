"""Bring the schema up to date. Safe to run from every replica at once."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncEngine

_LOCK = 0x6661_7265_626F_78  # "farebox" in ASCII


async def migrate(engine: AsyncEngine) -> None:
    """Run the outstanding Alembic migrations under a PostgreSQL advisory lock."""
    async with engine.begin() as connection:
        # Transaction-level: released with the transaction even if this process is killed.
        await connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        await connection.run_sync(_upgrade)


def _upgrade(connection: Connection) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
