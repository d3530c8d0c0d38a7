"""The migrations make what the tables say."""

from __future__ import annotations

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, text

from backend.errors import ConfigurationError
from backend.storage.database import Database
from backend.storage.migrate import migrate
from backend.storage.tables import metadata

pytestmark = pytest.mark.engine


async def test_the_migrations_make_the_tables(database: Database) -> None:
    def differences(connection: Connection) -> list[object]:
        context = MigrationContext.configure(connection, opts={"compare_server_default": True})
        return list(compare_metadata(context, metadata))

    async with database.engine.connect() as connection:
        assert await connection.run_sync(differences) == []


async def test_a_newer_schema_is_left_to_the_newer_farebox(database: Database) -> None:
    async with database.begin() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(ConfigurationError, match="the schema 9999 of a newer Farebox"):
        await migrate(database.engine)
