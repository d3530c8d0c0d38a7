"""Operator keys for tests."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy.ext.asyncio import AsyncConnection

from backend.accounts.keys.operator_keys import ALL_SCOPES, create_operator_key
from backend.accounts.principal import COMMAND_LINE
from backend_client.types.operator_keys import OperatorKeyCreate, OperatorScope


async def operator_secret(
    connection: AsyncConnection,
    name: str = "test",
    scopes: Collection[OperatorScope] = ALL_SCOPES,
) -> str:
    """The secret of a new operator key."""
    wanted = OperatorKeyCreate(name=name, scopes=list(scopes))
    return (await create_operator_key(connection, COMMAND_LINE, wanted)).secret
