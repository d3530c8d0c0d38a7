"""The tenant's API keys."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends

from backend.accounts.keys import (
    change_key,
    create_key,
    find_key,
    list_keys,
    revoke_key,
    rotate_key,
)
from backend.accounts.principal import Permission, Principal
from backend.api.dependencies import (
    IdempotencyKey,
    PageCursor,
    PageLimit,
    ServicesNow,
    needs,
)
from backend_client.types.accounts import (
    ApiKey,
    ApiKeyChange,
    ApiKeyCreate,
    ApiKeyCreated,
    ApiKeyRotate,
)
from backend_client.types.common import Page

router = APIRouter(tags=["keys"])

Reader = Annotated[Principal, Depends(needs(Permission.KEYS_READ))]
Writer = Annotated[Principal, Depends(needs(Permission.KEYS_WRITE))]


@router.get("/v1/keys")
async def get_keys(
    services: ServicesNow, caller: Reader, cursor: PageCursor = None, limit: PageLimit = 50
) -> Page[ApiKey]:
    """List keys, newest first, revoked ones included."""
    async with services.database.begin() as connection:
        return await list_keys(connection, caller.tenant_id, cursor=cursor, limit=limit)


@router.post("/v1/keys", status_code=201)
async def post_key(
    services: ServicesNow,
    caller: Writer,
    wanted: ApiKeyCreate,
    idempotency_key: IdempotencyKey = None,
) -> ApiKeyCreated:
    """Create a key. Its secret is in this answer and nowhere else."""
    async with services.database.begin() as connection:
        return await create_key(connection, caller, wanted, idempotency_key=idempotency_key)


@router.get("/v1/keys/{key_id}")
async def get_key(services: ServicesNow, caller: Reader, key_id: str) -> ApiKey:
    """Return a key."""
    async with services.database.begin() as connection:
        return await find_key(connection, caller.tenant_id, key_id)


@router.patch("/v1/keys/{key_id}")
async def patch_key(
    services: ServicesNow, caller: Writer, key_id: str, change: ApiKeyChange
) -> ApiKey:
    """Change a key's name or limits. New limits apply within a second."""
    async with services.database.begin() as connection:
        return await change_key(connection, caller, key_id, change)


@router.post("/v1/keys/{key_id}/rotate")
async def post_rotation(
    services: ServicesNow, caller: Writer, key_id: str, wanted: ApiKeyRotate
) -> ApiKeyCreated:
    """Give a key a new secret, which is in this answer and nowhere else.

    The old one works during the grace period, so that every user of the key can switch.
    """
    async with services.database.begin() as connection:
        return await rotate_key(connection, caller, key_id, grace_seconds=wanted.grace_seconds)


@router.delete("/v1/keys/{key_id}", status_code=204)
async def delete_key(services: ServicesNow, caller: Writer, key_id: str) -> None:
    """Revoke a key for good. Calls with it are refused within a second."""
    async with services.database.begin() as connection:
        await revoke_key(connection, caller, key_id)
