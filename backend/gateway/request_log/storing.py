"""Entries and bodies into their tables, a group in a statement."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import orjson
from sqlalchemy import Table, TextClause, text
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.storage.tables import gateway_requests, request_bodies


def _insertion(table: Table, held: str, same: str) -> TextClause:
    """Return an insertion of JSON rows that belong to rows of ``held``, which stay meanwhile."""
    # By name, so that a newer schema may have more columns
    columns = [column.name for column in table.columns]
    return text(
        f"WITH present AS MATERIALIZED ({held} FOR KEY SHARE)"  # noqa: S608 - names of the schema
        f" INSERT INTO {table.name} ({', '.join(columns)})"
        f" SELECT {', '.join(f'entry.{name}' for name in columns)}"
        f" FROM json_populate_recordset(NULL::{table.name}, CAST(:rows AS json)) AS entry"
        f" JOIN present ON {same}"
        " ON CONFLICT DO NOTHING"
    )


_ENTRIES: Final = _insertion(
    gateway_requests,
    "SELECT id FROM tenants WHERE id = ANY(CAST(:tenants AS text[])) ORDER BY id",
    "present.id = entry.tenant_id",
)
_BODIES: Final = _insertion(
    request_bodies,
    # Bodies are switched off by removing the setting
    "SELECT tenant_id, application_id FROM body_logging"
    " WHERE tenant_id = ANY(CAST(:tenants AS text[])) ORDER BY tenant_id, application_id",
    "present.tenant_id = entry.tenant_id AND present.application_id = entry.application_id",
)


async def insert_entries(connection: AsyncConnection, rows: Sequence[dict[str, Any]]) -> None:
    """Store entries; those that are stored already, and of tenants that are gone, are skipped."""
    await connection.execute(_ENTRIES, _parameters(rows))


async def insert_bodies(connection: AsyncConnection, rows: Sequence[dict[str, Any]]) -> None:
    """Store bodies of applications that keep them now."""
    if rows:
        await connection.execute(_BODIES, _parameters(rows))


def _parameters(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    return {
        "tenants": sorted({entry["tenant_id"] for entry in rows}),
        "rows": orjson.dumps(rows).decode(),
    }
