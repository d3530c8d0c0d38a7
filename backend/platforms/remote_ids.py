"""What a platform calls our things: kept for good, and found from either side."""

from __future__ import annotations

from sqlalchemy import RowMapping, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.storage.database import Database
from backend.storage.tables import platform_objects


class StoredMemory:
    """An adapter's memory of a tenant, each thing kept at once; asks for what it knows once."""

    def __init__(self, database: Database, platform: str, tenant_id: str) -> None:
        self._database = database
        self._platform = platform
        self._tenant_id = tenant_id
        self._recalled: dict[tuple[str, str], str] = {}

    async def recall(self, kind: str, own_id: str) -> str | None:
        """Return the remote id of a thing of ours; None if there is none."""
        if (kind, own_id) in self._recalled:
            return self._recalled[kind, own_id]
        async with self._database.autocommit() as connection:
            row = await remote_object(connection, self._platform, self._tenant_id, kind, own_id)
        if row is None:  # another process may make it meanwhile
            return None
        self._recalled[kind, own_id] = str(row["remote_id"])
        return self._recalled[kind, own_id]

    async def remember(self, kind: str, own_id: str, remote_id: str) -> None:
        """Keep the remote id of a thing of ours."""
        if self._recalled.get((kind, own_id)) == remote_id:
            return
        async with self._database.autocommit() as connection:
            await keep_remote_id(
                connection, self._platform, self._tenant_id, kind, own_id, remote_id
            )
        self._recalled[kind, own_id] = remote_id


async def keep_remote_id(
    connection: AsyncConnection,
    platform: str,
    tenant_id: str,
    kind: str,
    own_id: str,
    remote_id: str,
) -> None:
    """Keep a remote id; the last one holds."""
    row = {
        "tenant_id": tenant_id,
        "platform": platform,
        "kind": kind,
        "own_id": own_id,
        "remote_id": remote_id,
    }
    await connection.execute(
        insert(platform_objects)
        .values(row)
        .on_conflict_do_update(
            index_elements=["tenant_id", "platform", "kind", "own_id"],
            set_={"remote_id": remote_id},
        )
    )


async def note_state(
    connection: AsyncConnection,
    platform: str,
    tenant_id: str,
    kind: str,
    own_id: str,
    remote_id: str,
    data: dict[str, object],
) -> None:
    """Keep how a thing stands on the platform, beside its remote id."""
    row = {
        "tenant_id": tenant_id,
        "platform": platform,
        "kind": kind,
        "own_id": own_id,
        "remote_id": remote_id,
        "data": data,
    }
    await connection.execute(
        insert(platform_objects)
        .values(row)
        .on_conflict_do_update(
            index_elements=["tenant_id", "platform", "kind", "own_id"],
            set_={"remote_id": remote_id, "data": data},
        )
    )


async def remote_object(
    connection: AsyncConnection, platform: str, tenant_id: str, kind: str, own_id: str
) -> RowMapping | None:
    """Return what is kept of a thing of ours; None if the platform does not have it."""
    query = select(platform_objects).where(
        platform_objects.c.tenant_id == tenant_id,
        platform_objects.c.platform == platform,
        platform_objects.c.kind == kind,
        platform_objects.c.own_id == own_id,
    )
    return (await connection.execute(query)).mappings().first()


async def own_object(
    connection: AsyncConnection, platform: str, kind: str, remote_id: str
) -> RowMapping | None:
    """Return which thing of ours has a remote id; None if none has."""
    query = select(platform_objects).where(
        platform_objects.c.platform == platform,
        platform_objects.c.kind == kind,
        platform_objects.c.remote_id == remote_id,
    )
    return (await connection.execute(query)).mappings().first()


async def remote_customer(connection: AsyncConnection, platform: str, tenant_id: str) -> str | None:
    """Return the tenant's customer on the platform, in its currency; None if there is none."""
    query = select(platform_objects.c.remote_id).where(
        platform_objects.c.tenant_id == tenant_id,
        platform_objects.c.platform == platform,
        platform_objects.c.kind == "customer",
    )
    customer: str | None = await connection.scalar(query)
    return customer
