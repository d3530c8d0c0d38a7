"""The functions of holds are what their files say."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.storage.database import Database
from backend.storage.functions import FOLDER, definition
from backend.storage.migrate import newest_revision

NAMES = sorted(path.name for path in FOLDER.iterdir() if any(path.glob("*.sql")))


def revisions_of(name: str) -> list[str]:
    return sorted(path.stem for path in (FOLDER / name).glob("*.sql"))


async def kept(connection: AsyncConnection, name: str) -> str:
    """The function as PostgreSQL has it; there is one of the name."""
    query = text("SELECT pg_get_functiondef(CAST(CAST(:name AS regproc) AS oid))")
    return str(await connection.scalar(query, {"name": name}))


@pytest.mark.engine
async def test_the_functions_of_holds_are_what_the_newest_files_say(database: Database) -> None:
    assert {"hold_calls", "settle_calls", "settle_and_hold_calls"} < set(NAMES)
    for name in NAMES:
        newest = revisions_of(name)[-1]
        assert newest <= newest_revision()
        async with database.begin() as connection:
            migrated = await kept(connection, name)
            raw = await connection.get_raw_connection()
            await raw.driver_connection.execute(definition(name, newest))
            assert await kept(connection, name) == migrated, name
            await connection.rollback()


@pytest.mark.fast
@pytest.mark.parametrize("name", ["hold_calls", "settle_calls"])
def test_the_files_do_what_was_put_together_before(name: str) -> None:
    def words(statement: str) -> list[str]:
        _, _, body = re.sub(r"--.*", "", statement).partition("DECLARE")
        return re.sub(r"\$\w*\$", "", body).split()

    assert words(definition(name, "0100")) == words(definition(name, "0098"))


@pytest.mark.fast
@pytest.mark.parametrize("name", NAMES)
def test_a_file_says_what_its_function_does(name: str) -> None:
    newest = definition(name, revisions_of(name)[-1])
    assert newest.startswith("-- ")
    assert f"CREATE OR REPLACE FUNCTION {name}(" in newest
