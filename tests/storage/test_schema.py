"""The migrations make what the tables say."""

from __future__ import annotations

import asyncio

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from backend.errors import ConfigurationError
from backend.storage.database import Database
from backend.storage.migrate import _LOCK, alembic_config, migrate, newest_revision
from backend.storage.tables import metadata
from tests.storage.revisions import schema_of
from tests.support.postgres import own_database

pytestmark = pytest.mark.engine


async def test_the_migrations_make_the_tables(database: Database) -> None:
    def differences(connection: Connection) -> list[object]:
        context = MigrationContext.configure(connection, opts={"compare_server_default": True})
        return list(compare_metadata(context, metadata))

    async with database.engine.connect() as connection:
        assert await connection.run_sync(differences) == []


async def test_their_constraints_and_indexes_are_those_of_the_tables(
    database: Database, postgres_url: str
) -> None:
    """What Alembic does not compare, such as CHECKs; triggers stand in migrations alone."""
    async with own_database(postgres_url, "template0") as url:
        described = Database(url, pool_size=1)
        async with described.begin() as connection:
            await connection.run_sync(metadata.create_all)
            wanted = await schema_of(connection)
        await described.close()
    async with database.begin() as connection:
        migrated = await schema_of(connection)
    assert _compared(migrated) == _compared(wanted)


def _compared(schema: set[tuple[str, ...]]) -> set[tuple[str, ...]]:
    return {
        thing
        for thing in schema
        if thing[0] in {"column", "constraint", "index"} and "alembic_version" not in thing
    }


async def test_a_start_on_the_newest_schema_waits_for_nobody(database: Database) -> None:
    """Not for the lock, which a replica that migrates may hold for long; nor for Alembic."""
    async with database.engine.connect() as connection:
        scripts = ScriptDirectory.from_config(await connection.run_sync(alembic_config))
    assert newest_revision() == scripts.get_current_head()
    async with database.begin() as other:
        await other.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        async with asyncio.timeout(60):
            await migrate(database.engine)


async def test_a_newer_schema_is_left_to_the_newer_farebox(database: Database) -> None:
    async with database.begin() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(ConfigurationError, match="the schema 9999 of a newer Farebox"):
        await migrate(database.engine)
