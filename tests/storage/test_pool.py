"""A connection that is gone is never handed out."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from backend.storage import database as pool
from backend.storage.database import Database
from tests.support.waiting import until

pytestmark = pytest.mark.engine


async def backend_pid(database: Database) -> int:
    async with database.begin() as connection:
        return int(await connection.scalar(text("SELECT pg_backend_pid()")))


async def terminate(database_url: str, pid: int) -> None:
    """Have PostgreSQL end a connection, and return when it has."""
    connection = await asyncpg.connect(database_url)

    async def gone() -> bool:
        query = "SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = $1)"
        return bool(await connection.fetchval(query, pid))

    await connection.fetchval("SELECT pg_terminate_backend($1)", pid)
    await until(gone)
    await connection.close()


async def test_a_connection_is_used_again(database: Database) -> None:
    assert await backend_pid(database) == await backend_pid(database)


async def test_one_that_the_server_closed_is_replaced(
    database: Database, database_url: str
) -> None:
    pid = await backend_pid(database)
    await terminate(database_url, pid)
    assert await backend_pid(database) != pid


async def test_one_that_was_idle_is_asked(
    database: Database, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "_IDLE_SECONDS", 0.0)
    # As if nobody had heard that it was closed, as when a firewall forgot it
    monkeypatch.setattr(asyncpg.Connection, "is_closed", lambda _: False)
    pid = await backend_pid(database)
    await terminate(database_url, pid)
    assert await backend_pid(database) != pid


async def test_the_drivers_is_kept_for_the_next_statement_and_goes_back_to_the_pool(
    database: Database, database_url: str
) -> None:
    async def pid() -> int:
        async with database.driver() as driver:
            return int(await driver.fetchval("SELECT pg_backend_pid()"))

    first = await pid()
    assert await pid() == first
    await terminate(database_url, first)
    assert await pid() != first
    # However many come and go together
    for _ in range(3):
        await asyncio.gather(*(pid() for _ in range(30)))

    async def all_are_back() -> bool:
        return "Current Checked out connections: 0" in database.engine.pool.status()

    await until(all_are_back)


async def test_the_drivers_is_not_kept_from_who_waits_for_a_connection(database_url: str) -> None:
    small = Database(database_url, pool_size=2)
    async with small.begin():
        async with small.driver() as driver:
            await driver.fetchval("SELECT 1")
        assert "Current Checked out connections: 1" in small.engine.pool.status()
    await small.close()


async def test_one_that_is_lost_at_work_fails_what_it_does_and_nothing_after(
    database: Database, database_url: str
) -> None:
    async with database.engine.connect() as connection:
        pid = int(await connection.scalar(text("SELECT pg_backend_pid()")))
        await terminate(database_url, pid)
        with pytest.raises(DBAPIError):
            await connection.execute(text("SELECT 1"))
    assert await backend_pid(database) != pid
