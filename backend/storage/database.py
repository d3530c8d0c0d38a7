"""A pool of connections to PostgreSQL."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import parse_qs, unquote, urlsplit

import asyncpg
from sqlalchemy import event, text
from sqlalchemy.engine import URL, AdaptedConnection
from sqlalchemy.exc import DBAPIError, InvalidatePoolError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection, QueuePool
from sqlalchemy.util import greenlet_spawn


def engine_url(database_url: str) -> URL:
    """Turn a libpq address into SQLAlchemy's, keeping a Unix socket given as ``?host=``."""
    parts = urlsplit(database_url)
    if parts.scheme.split("+")[0] not in {"postgres", "postgresql"}:
        raise ValueError("DATABASE_URL must start with postgresql://")
    query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    return URL.create(
        "postgresql+asyncpg",
        username=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password else None,
        host=parts.hostname,
        port=parts.port,
        database=unquote(parts.path.lstrip("/")) or "postgres",
        query=query,
    )


async def driver_connection(connection: AsyncConnection) -> asyncpg.Connection:
    """Return the driver's own connection, inside the transaction that ``connection`` is in."""
    await connection.execute(text("SELECT 1"))  # SQLAlchemy begins with the first statement
    raw = (await connection.get_raw_connection()).driver_connection
    if not isinstance(raw, asyncpg.Connection):
        raise TypeError(f"not asyncpg's connection but {type(raw)}")
    return raw


_DRIVER_ERRORS = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
_USED_AT = "farebox_used_at"
_IDLE_SECONDS = 1.0
_WARM_SECONDS = 0.05
"""How long the driver's connection is kept at hand for the next statement."""


def _note_use(_connection: object, record: ConnectionPoolEntry) -> None:
    record.info[_USED_AT] = time.monotonic()


def _look_whether_alive(
    connection: AdaptedConnection, record: ConnectionPoolEntry, _proxy: PoolProxiedConnection
) -> None:
    """Let the pool use another connection if this one is lost.

    The driver knows when a server closed its connection; an idle one is also pinged, since the
    server may have been replaced. SQLAlchemy's own ping runs each time, in three round trips, which
    under load is a good part of a request's cost.
    """
    if connection.driver_connection.is_closed():
        raise InvalidatePoolError
    if time.monotonic() - record.info.get(_USED_AT, time.monotonic()) < _IDLE_SECONDS:
        return
    try:
        connection.run_async(lambda driver: driver.fetchval("SELECT 1"))
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
        raise InvalidatePoolError from error


class Database:
    """The pool. One a process; ``await close()`` when done."""

    def __init__(self, database_url: str, *, pool_size: int = 10) -> None:
        self.url = database_url
        self.engine: AsyncEngine = create_async_engine(
            engine_url(database_url),
            pool_size=pool_size,
            max_overflow=0,
            pool_timeout=10,
            pool_use_lifo=True,  # the last that was used, which need not be asked
        )
        self._pool_size = pool_size
        self._warm: PoolProxiedConnection | None = None
        self._warm_since = 0.0
        self._cooling: asyncio.TimerHandle | None = None
        self._returning: set[asyncio.Task[None]] = set()
        event.listen(self.engine.sync_engine, "checkin", _note_use)
        event.listen(self.engine.sync_engine, "checkout", _look_whether_alive)

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[AsyncConnection]:
        """Open a transaction; it commits at the end of the block and rolls back on an error."""
        async with self.engine.begin() as connection:
            yield connection

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[AsyncConnection]:
        """Open a read-only transaction in which every query sees the same moment."""
        async with self.engine.connect() as connection:
            await connection.execution_options(
                isolation_level="REPEATABLE READ", postgresql_readonly=True
            )
            async with connection.begin():
                yield connection

    @asynccontextmanager
    async def autocommit(self) -> AsyncIterator[AsyncConnection]:
        """Open a connection for a single statement: without a transaction around it."""
        async with self.engine.connect() as connection:
            await connection.execution_options(isolation_level="AUTOCOMMIT")
            yield connection

    @asynccontextmanager
    async def driver(self) -> AsyncIterator[asyncpg.Connection]:
        """Lend the driver's own connection, outside a transaction, for what is called often.

        A statement by SQLAlchemy takes several times the processor's time. The driver's errors are
        raised as SQLAlchemy's.
        """
        pooled, kept = self._take_warm() or await self.engine.raw_connection(), False
        try:
            raw = pooled.driver_connection
            if not isinstance(raw, asyncpg.Connection):
                raise TypeError(f"not asyncpg's connection but {type(raw)}")
            yield raw
            kept = not raw.is_closed() and self._keep_warm(pooled)
        except _DRIVER_ERRORS as error:
            lost = not isinstance(error, asyncpg.PostgresError)
            raise DBAPIError(None, None, error, connection_invalidated=lost) from error
        finally:
            if not kept:
                # One that was lost is noticed when it is lent the next time
                await greenlet_spawn(pooled.close)

    def _take_warm(self) -> PoolProxiedConnection | None:
        """Return the connection that is at hand; None without one that is alive."""
        warm = self._warm
        if warm is None or warm.driver_connection is None or warm.driver_connection.is_closed():
            return None  # one that was closed goes back in its time
        self._warm = None
        return warm

    def _keep_warm(self, pooled: PoolProxiedConnection) -> bool:
        """Keep a connection for the next of ``driver``, for a moment; return whether it is.

        To fetch one from the pool, and to give it back, takes as long as a statement. None is kept
        while all are lent: somebody may wait for it.
        """
        pool = self.engine.pool
        if self._warm is not None or not isinstance(pool, QueuePool):
            return False
        if pool.checkedout() >= self._pool_size:
            return False
        self._warm, self._warm_since = pooled, time.monotonic()
        if self._cooling is None:
            loop = asyncio.get_running_loop()
            self._cooling = loop.call_later(_WARM_SECONDS, self._cool)
        return True

    def _cool(self) -> None:
        """Give the connection back that was kept, unless it has been used since."""
        self._cooling = None
        if self._warm is None:
            return
        left = self._warm_since + _WARM_SECONDS - time.monotonic()
        if left > 0:
            self._cooling = asyncio.get_running_loop().call_later(left, self._cool)
            return
        pooled, self._warm = self._warm, None
        task = asyncio.create_task(greenlet_spawn(pooled.close))
        self._returning.add(task)
        task.add_done_callback(self._returning.discard)

    @asynccontextmanager
    async def raw(self) -> AsyncIterator[asyncpg.Connection]:
        """Open a connection of the driver itself, outside the pool: for COPY and LISTEN."""
        connection = await asyncpg.connect(_dsn(self.url))
        try:
            yield connection
        finally:
            await connection.close()

    async def healthy(self) -> bool:
        """Return whether PostgreSQL accepts writes now, which a standby does not."""
        try:
            async with self.engine.connect() as connection:
                read_only = await connection.scalar(text("SHOW transaction_read_only"))
        except (SQLAlchemyError, OSError, TimeoutError, asyncpg.PostgresError):
            return False
        return bool(read_only == "off")

    async def close(self) -> None:
        """Close every connection."""
        if self._cooling is not None:
            self._cooling.cancel()
        if self._warm is not None:
            pooled, self._warm = self._warm, None
            await greenlet_spawn(pooled.close)
        if self._returning:
            await asyncio.wait(self._returning)
        await self.engine.dispose()


def _dsn(database_url: str) -> str:
    return database_url.replace("postgresql+asyncpg://", "postgresql://", 1)
