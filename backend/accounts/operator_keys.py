"""The operator's own keys, created on the command line: for ingest and for managing tenants."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.accounts.errors import OperatorKeyNotFound
from backend.accounts.secrets import OPERATOR_KEY, new_secret
from backend.ids import new_id
from backend.storage.database import Database
from backend.storage.tables import operator_keys


@dataclass(frozen=True, slots=True)
class OperatorKey:
    """A key as it can be shown."""

    id: str
    name: str
    shown: str
    created_at: datetime
    revoked_at: datetime | None


async def create_operator_key(connection: AsyncConnection, name: str) -> tuple[str, str]:
    """Create a key; return its id and its secret, which is not stored."""
    secret = new_secret(OPERATOR_KEY)
    key_id = new_id("key")
    await connection.execute(
        insert(operator_keys).values(
            id=key_id,
            name=name,
            secret_hash=secret.hash,
            prefix=secret.prefix,
            last_four=secret.last_four,
        )
    )
    return key_id, secret.value


async def list_operator_keys(connection: AsyncConnection) -> list[OperatorKey]:
    """Return every key, oldest first, revoked ones included."""
    rows = await connection.execute(select(operator_keys).order_by(operator_keys.c.id))
    return [
        OperatorKey(
            id=row.id,
            name=row.name,
            shown=f"{row.prefix}…{row.last_four}",
            created_at=row.created_at,
            revoked_at=row.revoked_at,
        )
        for row in rows
    ]


async def revoke_operator_key(connection: AsyncConnection, key_id: str) -> None:
    """Revoke a key for good; raise ``NotFound``."""
    changed = await connection.execute(
        update(operator_keys)
        .where(operator_keys.c.id == key_id)
        .values(revoked_at=func.coalesce(operator_keys.c.revoked_at, func.now()))
    )
    if changed.rowcount == 0:
        raise OperatorKeyNotFound()


@asynccontextmanager
async def temporary_operator_key(database: Database, name: str) -> AsyncIterator[tuple[str, str]]:
    """Yield the id and secret of an operator key that is revoked at the end."""
    async with database.begin() as connection:
        key_id, secret = await create_operator_key(connection, name)
    try:
        yield key_id, secret
    finally:
        async with database.begin() as connection:
            await revoke_operator_key(connection, key_id)
