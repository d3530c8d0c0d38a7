"""The operator's own keys."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends

from backend.accounts.keys.operator_keys import (
    create_operator_key,
    list_operator_keys,
    revoke_operator_key,
)
from backend.accounts.principal import Permission, Principal
from backend.api.dependencies import PageCursor, PageLimit, ServicesNow, needs
from backend.api.path_parameters import KeyId
from backend_client.types.common import Page
from backend_client.types.operator_keys import OperatorKey, OperatorKeyCreate, OperatorKeyCreated

router = APIRouter(tags=["operator"])

Admin = Annotated[Principal, Depends(needs(Permission.OPERATE_ADMIN))]


@router.get("/v1/operator-keys")
async def get_operator_keys(
    services: ServicesNow, caller: Admin, cursor: PageCursor = None, limit: PageLimit = 50
) -> Page[OperatorKey]:
    """List the operator's keys, oldest first, revoked ones included."""
    async with services.database.begin() as connection:
        return await list_operator_keys(connection, cursor=cursor, limit=limit)


@router.post("/v1/operator-keys", status_code=201)
async def post_operator_key(
    services: ServicesNow, caller: Admin, wanted: OperatorKeyCreate
) -> OperatorKeyCreated:
    """Create an operator's key with scopes that the caller has itself.

    Its secret is in this answer and nowhere else.
    """
    async with services.database.begin() as connection:
        return await create_operator_key(connection, caller, wanted)


@router.delete("/v1/operator-keys/{key_id}", status_code=204)
async def delete_operator_key(services: ServicesNow, caller: Admin, key_id: KeyId) -> None:
    """Revoke an operator's key for good. Calls with it are refused within a second."""
    async with services.database.begin() as connection:
        await revoke_operator_key(connection, caller, key_id)
