"""The tenant's API keys."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends

from backend.accounts.clocks import now_of
from backend.accounts.keys.keys import (
    change_key,
    find_key,
    list_keys,
)
from backend.accounts.keys.rotation import end_grace
from backend.accounts.principal import Permission, Principal
from backend.accounts.tenants import find_tenant
from backend.api.dependencies import (
    IdempotencyKey,
    PageCursor,
    PageLimit,
    ServicesNow,
    needs,
)
from backend.api.parameters import KeySearch, PersonsKeys
from backend.api.path_parameters import KeyId
from backend.budgets.use import budget_of_key
from backend.customers.keys import create_key, revoke_key, rotate_key
from backend_client.types.accounts import (
    ApiKey,
    ApiKeyChange,
    ApiKeyCreate,
    ApiKeyCreated,
    ApiKeyRotate,
)
from backend_client.types.common import Page
from backend_client.types.limits import KeyBudgetUse

router = APIRouter(tags=["keys"])

Reader = Annotated[Principal, Depends(needs(Permission.KEYS_READ))]
Spender = Annotated[Principal, Depends(needs(Permission.SPEND_READ))]
Writer = Annotated[Principal, Depends(needs(Permission.KEYS_WRITE))]


@router.get("/v1/keys")
async def get_keys(
    services: ServicesNow,
    caller: Reader,
    created_by: PersonsKeys = None,
    search: KeySearch = None,
    cursor: PageCursor = None,
    limit: PageLimit = 50,
) -> Page[ApiKey]:
    """List keys, newest first, revoked ones included."""
    async with services.database.begin() as connection:
        return await list_keys(
            connection,
            caller.tenant_id,
            created_by=created_by,
            search=search,
            cursor=cursor,
            limit=limit,
        )


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
async def get_key(services: ServicesNow, caller: Reader, key_id: KeyId) -> ApiKey:
    """Return a key."""
    async with services.database.begin() as connection:
        return await find_key(connection, caller.tenant_id, key_id)


@router.patch("/v1/keys/{key_id}")
async def patch_key(
    services: ServicesNow, caller: Writer, key_id: KeyId, change: ApiKeyChange
) -> ApiKey:
    """Change what a key may do, disable or enable it. It applies within a second.

    What is left out stays as it is.
    """
    async with services.database.begin() as connection:
        return await change_key(connection, caller, key_id, change)


@router.post("/v1/keys/{key_id}/rotate")
async def post_rotation(
    services: ServicesNow, caller: Writer, key_id: KeyId, wanted: ApiKeyRotate
) -> ApiKeyCreated:
    """Give a key a new secret, which is in this answer and nowhere else.

    The old one works during the grace period, so that every user of the key can switch. With a
    grace of 0 every earlier secret ends, those of earlier rotations too.
    """
    async with services.database.begin() as connection:
        return await rotate_key(connection, caller, key_id, grace_seconds=wanted.grace_seconds)


@router.delete("/v1/keys/{key_id}/previous", status_code=204)
async def delete_previous_secrets(services: ServicesNow, caller: Writer, key_id: KeyId) -> None:
    """End the grace of every earlier secret of a key; its present one goes on."""
    async with services.database.begin() as connection:
        await end_grace(connection, caller, key_id)


@router.get("/v1/keys/{key_id}/budget")
async def get_key_budget(services: ServicesNow, caller: Spender, key_id: KeyId) -> KeyBudgetUse:
    """Return what a key has used of its budget, exact; 404 if it has none."""
    async with services.database.snapshot() as connection:
        tenant = await find_tenant(connection, caller.tenant_id)
        return await budget_of_key(connection, tenant, key_id, now_of(tenant))


@router.delete("/v1/keys/{key_id}", status_code=204)
async def delete_key(services: ServicesNow, caller: Writer, key_id: KeyId) -> None:
    """Revoke a key for good. Calls with it are refused within a second."""
    async with services.database.begin() as connection:
        await revoke_key(connection, caller, key_id)
