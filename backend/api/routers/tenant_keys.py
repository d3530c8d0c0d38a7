"""A tenant's applications and API keys, for the operator who acts for it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends

from backend.accounts.applications import change_application, create_application
from backend.accounts.clocks import now_of
from backend.accounts.keys.keys import (
    change_key,
    find_key,
    list_keys,
)
from backend.accounts.keys.rotation import end_grace
from backend.accounts.principal import Permission, Principal
from backend.api.dependencies import (
    IdempotencyKey,
    PageCursor,
    PageLimit,
    ServicesNow,
    needs,
)
from backend.api.parameters import KeySearch, PersonsKeys
from backend.api.path_parameters import ApplicationId, KeyId, TenantId
from backend.api.tenant_scope import customer
from backend.budgets.use import budget_of_key
from backend.customers.keys import create_key, revoke_key, rotate_key
from backend_client.types.accounts import (
    ApiKey,
    ApiKeyChange,
    ApiKeyCreate,
    ApiKeyCreated,
    ApiKeyRotate,
    Application,
    ApplicationChange,
    ApplicationCreate,
)
from backend_client.types.common import Page
from backend_client.types.limits import KeyBudgetUse

router = APIRouter(tags=["operator"])

Reader = Annotated[Principal, Depends(needs(Permission.OPERATE_READ))]
Admin = Annotated[Principal, Depends(needs(Permission.OPERATE_ADMIN))]

_KEYS = "/v1/tenants/{tenant_id}/keys"


@router.post("/v1/tenants/{tenant_id}/applications", status_code=201)
async def post_tenant_application(
    services: ServicesNow,
    caller: Admin,
    tenant_id: TenantId,
    wanted: ApplicationCreate,
    idempotency_key: IdempotencyKey = None,
) -> Application:
    """Create an application of a tenant."""
    async with services.database.begin() as connection:
        operator, tenant = await customer(connection, caller, tenant_id)
        return await create_application(
            connection, tenant.id, wanted, idempotency_key=idempotency_key, by=operator
        )


@router.patch("/v1/tenants/{tenant_id}/applications/{application_id}")
async def patch_tenant_application(
    services: ServicesNow,
    caller: Admin,
    tenant_id: TenantId,
    application_id: ApplicationId,
    change: ApplicationChange,
) -> Application:
    """Rename or archive an application of a tenant, as the tenant itself can."""
    async with services.database.begin() as connection:
        operator, _ = await customer(connection, caller, tenant_id)
        now = datetime.now(UTC)
        return await change_application(connection, operator, application_id, change, now)


@router.get(_KEYS)
async def get_tenant_keys(
    services: ServicesNow,
    caller: Reader,
    tenant_id: TenantId,
    created_by: PersonsKeys = None,
    search: KeySearch = None,
    cursor: PageCursor = None,
    limit: PageLimit = 50,
) -> Page[ApiKey]:
    """List a tenant's keys, newest first, revoked ones included."""
    async with services.database.begin() as connection:
        _, tenant = await customer(connection, caller, tenant_id)
        return await list_keys(
            connection,
            tenant.id,
            created_by=created_by,
            search=search,
            cursor=cursor,
            limit=limit,
        )


@router.post(_KEYS, status_code=201)
async def post_tenant_key(
    services: ServicesNow,
    caller: Admin,
    tenant_id: TenantId,
    wanted: ApiKeyCreate,
    idempotency_key: IdempotencyKey = None,
) -> ApiKeyCreated:
    """Create a key of a tenant. Its secret is in this answer and nowhere else."""
    async with services.database.begin() as connection:
        operator, _ = await customer(connection, caller, tenant_id)
        return await create_key(connection, operator, wanted, idempotency_key=idempotency_key)


@router.get(_KEYS + "/{key_id}")
async def get_tenant_key(
    services: ServicesNow, caller: Reader, tenant_id: TenantId, key_id: KeyId
) -> ApiKey:
    """Return a key of a tenant."""
    async with services.database.begin() as connection:
        _, tenant = await customer(connection, caller, tenant_id)
        return await find_key(connection, tenant.id, key_id)


@router.patch(_KEYS + "/{key_id}")
async def patch_tenant_key(
    services: ServicesNow, caller: Admin, tenant_id: TenantId, key_id: KeyId, change: ApiKeyChange
) -> ApiKey:
    """Change a tenant's key, as the tenant itself can."""
    async with services.database.begin() as connection:
        operator, _ = await customer(connection, caller, tenant_id)
        return await change_key(connection, operator, key_id, change)


@router.post(_KEYS + "/{key_id}/rotate")
async def post_tenant_rotation(
    services: ServicesNow, caller: Admin, tenant_id: TenantId, key_id: KeyId, wanted: ApiKeyRotate
) -> ApiKeyCreated:
    """Give a tenant's key a new secret, which is in this answer and nowhere else."""
    async with services.database.begin() as connection:
        operator, _ = await customer(connection, caller, tenant_id)
        return await rotate_key(connection, operator, key_id, grace_seconds=wanted.grace_seconds)


@router.delete(_KEYS + "/{key_id}/previous", status_code=204)
async def delete_tenants_previous_secrets(
    services: ServicesNow, caller: Admin, tenant_id: TenantId, key_id: KeyId
) -> None:
    """End the grace of every earlier secret of a tenant's key; its present one goes on."""
    async with services.database.begin() as connection:
        operator, _ = await customer(connection, caller, tenant_id)
        await end_grace(connection, operator, key_id)


@router.get(_KEYS + "/{key_id}/budget")
async def get_tenants_key_budget(
    services: ServicesNow, caller: Reader, tenant_id: TenantId, key_id: KeyId
) -> KeyBudgetUse:
    """Return what a tenant's key has used of its budget, exact; 404 if it has none."""
    async with services.database.snapshot() as connection:
        _, tenant = await customer(connection, caller, tenant_id)
        return await budget_of_key(connection, tenant, key_id, now_of(tenant))


@router.delete(_KEYS + "/{key_id}", status_code=204)
async def delete_tenant_key(
    services: ServicesNow, caller: Admin, tenant_id: TenantId, key_id: KeyId
) -> None:
    """Revoke a tenant's key for good. Calls with it are refused within a second."""
    async with services.database.begin() as connection:
        operator, _ = await customer(connection, caller, tenant_id)
        await revoke_key(connection, operator, key_id)
