"""Engines for tests: real PostgreSQL and NATS, started once a session; a database for each test."""

from __future__ import annotations

import shutil
import socket
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import asyncpg
import pytest
from nats.js.errors import NotFoundError

from backend.engines.nats import start_nats
from backend.engines.postgres import start_postgres
from backend.ids import new_id
from backend.kit.nats_servers import nats_servers
from backend.metering.ingest.connection import open_connection
from backend.metering.ingest.stream import dead_letter_stream
from backend.storage.database import Database
from backend.storage.migrate import migrate

pytest_plugins = [
    "tests.support.kinds",
    "tests.support.spreading",
    "tests.support.fixtures.api",
    "tests.support.fixtures.billing",
]

QUICK = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
"""PostgreSQL without what only a power cut would need. Tests that kill it use none of this."""


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def engines_home() -> Iterator[Path]:
    """A short path: a Unix socket's address has at most 107 bytes."""
    home = Path(tempfile.mkdtemp(prefix="fb-"))
    yield home
    shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres_url(engines_home: Path) -> Iterator[str]:
    postgres = start_postgres(engines_home / "postgres", QUICK)
    yield postgres.url
    postgres.stop()


@pytest.fixture(scope="session")
def nats_url(engines_home: Path) -> Iterator[str]:
    nats = start_nats(engines_home / "nats", port=free_port())
    yield nats.url
    nats.stop()


@pytest.fixture(scope="session")
async def template_database(postgres_url: str) -> str:
    """A migrated database that each test's own is copied from, which takes milliseconds."""
    name = "farebox_template"
    connection = await asyncpg.connect(postgres_url)
    await connection.execute(f"CREATE DATABASE {name}")
    await connection.close()
    database = Database(_with_name(postgres_url, name))
    await migrate(database.engine)
    await database.close()
    return name


@asynccontextmanager
async def own_database(postgres_url: str, template: str) -> AsyncIterator[str]:
    """A copy of the template that is dropped at the end; its address."""
    name = new_id("evt")
    connection = await asyncpg.connect(postgres_url)
    await connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
    yield _with_name(postgres_url, name)
    await connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await connection.close()


@pytest.fixture
async def database_url(postgres_url: str, template_database: str) -> AsyncIterator[str]:
    """The address of an empty, migrated database that this test alone uses."""
    async with own_database(postgres_url, template_database) as url:
        yield url


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """A pool on this test's own database."""
    database = Database(database_url, pool_size=5)
    yield database
    await database.close()


@pytest.fixture
async def stream_name(nats_url: str) -> AsyncIterator[str]:
    """The name of this test's own streams, which are gone after it: each has disk reserved."""
    name = new_id("evt")
    yield name
    client = await open_connection(nats_servers(nats_url), "test")
    for stream in (name, dead_letter_stream(name)):
        with suppress(NotFoundError):
            await client.jetstream().delete_stream(stream)
    await client.close()


def _with_name(url: str, name: str) -> str:
    head, _, query = url.partition("?")
    return f"{head.rpartition('/')[0]}/{name}" + (f"?{query}" if query else "")
