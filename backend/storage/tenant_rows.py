"""Rows of a table whose primary key is a tenant and an id: found, listed, changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import ColumnElement, RowMapping, Table, select, update
from sqlalchemy.ext.asyncio import AsyncConnection


async def tenant_row(
    connection: AsyncConnection, table: Table, tenant_id: str, row_id: str
) -> RowMapping | None:
    """Return a tenant's row; None if it has none of that id."""
    query = select(table).where(*_of(table, tenant_id, row_id))
    return (await connection.execute(query)).mappings().first()


async def tenant_rows(
    connection: AsyncConnection, table: Table, tenant_id: str, *, after: str | None, limit: int
) -> Sequence[RowMapping]:
    """Return the tenant's rows ``after`` an id, the oldest first, and one more than ``limit``."""
    query = (
        select(table).where(table.c.tenant_id == tenant_id).order_by(table.c.id).limit(limit + 1)
    )
    if after is not None:
        query = query.where(table.c.id > after)
    return (await connection.execute(query)).mappings().all()


async def change_tenant_row(
    connection: AsyncConnection,
    table: Table,
    tenant_id: str,
    row_id: str,
    values: Mapping[str, object],
) -> RowMapping | None:
    """Change a tenant's row, and return it as it is then; None if it has none of that id."""
    change = update(table).where(*_of(table, tenant_id, row_id)).values(values).returning(table)
    row: RowMapping | None = (await connection.execute(change)).mappings().first()
    return row


def _of(table: Table, tenant_id: str, row_id: str) -> tuple[ColumnElement[bool], ...]:
    return table.c.tenant_id == tenant_id, table.c.id == row_id
