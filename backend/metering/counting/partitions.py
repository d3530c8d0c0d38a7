"""The table of events in partitions, for stores too large to look after as one table.

They are by a hash of the tenant. A tenant's events stay together, and an event's identity, which
holds whatever time the event states, stays unique over all of them; partitions by time could not
promise that. PostgreSQL vacuums, analyses and indexes each partition by itself.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from sqlalchemy import MetaData, text
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.schema import AddConstraint, CreateIndex

from backend.errors import InvalidInput
from backend.metering.counting.locks import own_everything
from backend.storage.database import driver_connection
from backend.storage.tables import events
from backend_client.types.problems import FieldError

MOST_PARTITIONS: Final = 256

# The new table is made in a schema of its own: so it and its indexes have their names from the
# start, and take the place of the old ones by moving.
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

    Returns how many events there are. Until it commits, counting waits, and what comes in waits in
    the stream; events can be read all along. It takes as much disk as they do. Raises
    ``InvalidInput`` for a count out of bounds.
    """
    if not 1 <= count <= MOST_PARTITIONS:
        detail = f"must be from 1 to {MOST_PARTITIONS}"
        raise InvalidInput(
            f"The number of partitions {detail}.", errors=[FieldError(field="count", detail=detail)]
        )
    # Who writes events takes a share of these before the table, so nobody holds one of the two and
    # waits for the other.
    await own_everything(await driver_connection(connection))
    # And who removes a tenant
    await connection.execute(text("LOCK TABLE events IN SHARE ROW EXCLUSIVE MODE"))
    tables = await _make_tables(connection, count)
    copied = await connection.execute(text(_COPY))
    # After the rows, which is quicker than with each of them
    made = events.to_metadata(MetaData(), schema=_SCHEMA)
    await connection.execute(AddConstraint(made.primary_key))
    for index in sorted(made.indexes, key=lambda index: str(index.name)):
        await connection.execute(CreateIndex(index))
    await connection.execute(text("DROP TABLE events"))
    for table in tables:
        await connection.execute(text(f"ALTER TABLE {_SCHEMA}.{table} SET SCHEMA public"))
    await connection.execute(text(f"DROP SCHEMA {_SCHEMA}"))
    return copied.rowcount


async def _make_tables(connection: AsyncConnection, count: int) -> list[str]:
    """Make the new table, without indexes, and its partitions; return their names."""
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
