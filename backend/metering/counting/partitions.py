"""The table of events in partitions, for databases where one table is too large to maintain.

They are by a hash of the tenant. A tenant's events stay together, and an event's identity, which
does not depend on its time, stays unique over all of them; partitions by time could not ensure
that. PostgreSQL vacuums, analyzes and indexes each partition separately.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from sqlalchemy import MetaData, text
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.schema import AddConstraint, CreateIndex

from backend.errors import CommandError
from backend.metering.counting.locks import own_everything
from backend.storage.database import driver_connection
from backend.storage.tables import events

MOST_PARTITIONS: Final = 256

# The new table is made in a schema of its own, so that it and its indexes have their final names,
# and replaces the old ones by moving.
_SCHEMA: Final = "farebox_partitioning"
_LIST = text(
    """
    SELECT leaf.relname, greatest(leaf.reltuples, 0)::bigint, pg_total_relation_size(leaf.oid)
    FROM pg_class AS leaf
    WHERE leaf.relkind = 'r' AND (
        leaf.oid = 'events'::regclass
        OR leaf.oid IN (SELECT relid FROM pg_partition_tree('events'))
    )
    ORDER BY leaf.relname
    """
)
_COPY = "INSERT INTO farebox_partitioning.events SELECT * FROM public.events"


class Partition(NamedTuple):
    """A partition, or the whole table: about how many events, and its bytes with indexes."""

    name: str
    event_count: int
    size_bytes: int


async def list_partitions(connection: AsyncConnection) -> list[Partition]:
    """Return the partitions; the table itself if it has none."""
    return [Partition(*row) for row in await connection.execute(_LIST)]


async def partition_events(connection: AsyncConnection, count: int) -> int:
    """Divide the events into ``count`` partitions (1: into none), in the caller's transaction.

    Returns how many events there are. Until it commits, counting waits and new events stay in the
    stream; events can be read meanwhile. It needs as much disk space as the events. Raises
    ``CommandError`` for a count out of bounds.
    """
    if not 1 <= count <= MOST_PARTITIONS:
        detail = f"must be from 1 to {MOST_PARTITIONS}"
        raise CommandError(f"The number of partitions {detail}.")
    # Writers of events take their share of these locks before the table's, so this order can't
    # deadlock.
    await own_everything(await driver_connection(connection))
    # Removing a tenant waits too
    await connection.execute(text("LOCK TABLE events IN SHARE ROW EXCLUSIVE MODE"))
    tables = await _make_tables(connection, count)
    copied = await connection.execute(text(_COPY))
    # After the rows, which is faster than adding to indexes row by row
    partitioned = events.to_metadata(MetaData(), schema=_SCHEMA)
    await connection.execute(AddConstraint(partitioned.primary_key))
    for index in sorted(partitioned.indexes, key=lambda index: str(index.name)):
        await connection.execute(CreateIndex(index))
    await connection.execute(text("DROP TABLE events"))
    for table in tables:
        await connection.execute(text(f"ALTER TABLE {_SCHEMA}.{table} SET SCHEMA public"))
    await connection.execute(text(f"DROP SCHEMA {_SCHEMA}"))
    return copied.rowcount


async def _make_tables(connection: AsyncConnection, count: int) -> list[str]:
    """Create the new table, without indexes, and its partitions; return their names."""
    await connection.execute(text(f"CREATE SCHEMA {_SCHEMA}"))
    make = f"CREATE TABLE {_SCHEMA}.events (LIKE public.events INCLUDING DEFAULTS)"
    if count == 1:
        await connection.execute(text(make))
        return ["events"]
    await connection.execute(text(f"{make} PARTITION BY HASH (tenant_id)"))
    names = [f"events_{place}_of_{count}" for place in range(count)]
    for place, name in enumerate(names):
        await connection.execute(
            text(
                f"CREATE TABLE {_SCHEMA}.{name} PARTITION OF {_SCHEMA}.events"
                f" FOR VALUES WITH (MODULUS {count}, REMAINDER {place})"
            )
        )
    return ["events", *names]
