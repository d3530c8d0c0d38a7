"""The operator's own keys: for ingest, and for managing tenants and what they pay."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import RowMapping, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.accounts.audit.writing import NO_TENANT, record
from backend.accounts.errors import ExpiryPassed, OperatorKeyNotFound, ScopeNotHeld
from backend.accounts.principal import COMMAND_LINE, OPERATOR_SCOPE_PERMISSIONS, Principal
from backend.accounts.secrets import OPERATOR_KEY, new_secret
from backend.ids import new_id
from backend.kit.pages import Cursor, page_of
from backend.storage.database import Database
from backend.storage.tables import operator_keys
from backend_client.types.common import Page
from backend_client.types.operator_keys import (
    OperatorKey,
    OperatorKeyCreate,
    OperatorKeyCreated,
    OperatorScope,
)

ALL_SCOPES: Final = tuple(OperatorScope)
_SHOWN = [column for column in operator_keys.c if column.name != "secret_hash"]


def _key(row: RowMapping) -> OperatorKey:
    return OperatorKey.model_validate(dict(row))


async def create_operator_key(
    connection: AsyncConnection, caller: Principal, wanted: OperatorKeyCreate
) -> OperatorKeyCreated:
    """Create a key; its secret is in the answer and nowhere else.

    Raises ``ScopeNotHeld`` for a scope that permits what the caller may not do, and
    ``ExpiryPassed``.
    """
    for scope in wanted.scopes:
        if not OPERATOR_SCOPE_PERMISSIONS[scope] <= caller.permissions:
            raise ScopeNotHeld(f"You can't give the scope {scope.value!r}, which you don't have.")
    if wanted.expires_at is not None and wanted.expires_at <= datetime.now(UTC):
        raise ExpiryPassed()
    secret = new_secret(OPERATOR_KEY)
    scopes = [scope.value for scope in OperatorScope if scope in wanted.scopes]
    inserted = await connection.execute(
        insert(operator_keys)
        .values(
            id=new_id("key"),
            name=wanted.name,
            secret_hash=secret.hash,
            prefix=secret.prefix,
            last_four=secret.last_four,
            scopes=scopes,
            expires_at=wanted.expires_at,
        )
        .returning(*_SHOWN)
    )
    row = inserted.mappings().one()
    detail = {"name": wanted.name, "scopes": scopes}
    await record(
        connection, caller, "operator_key.create", row["id"], tenant_id=NO_TENANT, detail=detail
    )
    return OperatorKeyCreated.model_validate({**row, "secret": secret.value})


async def list_operator_keys(
    connection: AsyncConnection, *, cursor: str | None, limit: int
) -> Page[OperatorKey]:
    """Return a page of the keys, oldest first, revoked ones included."""
    query = select(*_SHOWN).order_by(operator_keys.c.id).limit(limit + 1)
    if cursor is not None:
        query = query.where(operator_keys.c.id > Cursor.read(cursor))
    rows = (await connection.execute(query)).mappings().all()
    return page_of([_key(row) for row in rows], limit, lambda key: key.id)


async def revoke_operator_key(connection: AsyncConnection, caller: Principal, key_id: str) -> None:
    """Revoke a key for good; may be repeated. Raises ``NotFound``."""
    selected = await connection.execute(
        select(operator_keys.c.revoked_at).where(operator_keys.c.id == key_id).with_for_update()
    )
    row = selected.first()
    if row is None:
        raise OperatorKeyNotFound()
    if row.revoked_at is not None:
        return
    await connection.execute(
        update(operator_keys).where(operator_keys.c.id == key_id).values(revoked_at=func.now())
    )
    await record(connection, caller, "operator_key.revoke", key_id, tenant_id=NO_TENANT)


@asynccontextmanager
async def temporary_operator_key(
    database: Database, name: str, scopes: Collection[OperatorScope] = ALL_SCOPES
) -> AsyncIterator[tuple[str, str]]:
    """Yield the id and secret of an operator key that is revoked at the end."""
    wanted = OperatorKeyCreate(name=name, scopes=list(scopes))
    async with database.begin() as connection:
        key = await create_operator_key(connection, COMMAND_LINE, wanted)
    try:
        yield key.id, key.secret
    finally:
        async with database.begin() as connection:
            await revoke_operator_key(connection, COMMAND_LINE, key.id)
