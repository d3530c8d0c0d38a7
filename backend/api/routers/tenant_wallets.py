"""Tenants' prepaid credit for the operator, and the top-ups that wait for payment."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends

from backend.accounts.audit.writing import record
from backend.accounts.clocks import now_of
from backend.accounts.principal import Permission, Principal
from backend.accounts.tenants import find_tenant
from backend.api.dependencies import (
    IdempotencyKey,
    PageCursor,
    PageLimit,
    ServicesNow,
    needs,
)
from backend.api.parameters import BalanceInstant
from backend.api.path_parameters import TenantId
from backend.api.tenant_scope import customer
from backend.wallets.queries import (
    list_grants,
    list_ledger,
    list_top_ups,
    list_waiting_top_ups,
    set_wallet,
    wallet_balance,
)
from backend.wallets.top_ups import ask_for_top_up, refresh_and_check
from backend_client.types.common import Page
from backend_client.types.wallets import (
    CreditGrant,
    LedgerEntry,
    TenantTopUp,
    TopUp,
    TopUpCreate,
    WalletBalance,
    WalletSettings,
)

router = APIRouter(tags=["operator"])

Reader = Annotated[Principal, Depends(needs(Permission.OPERATE_READ))]
Billing = Annotated[Principal, Depends(needs(Permission.OPERATE_BILLING))]

_WALLET = "/v1/tenants/{tenant_id}/wallet"


@router.get(_WALLET)
async def get_tenant_wallet(
    services: ServicesNow, caller: Reader, tenant_id: TenantId, at: BalanceInstant = None
) -> WalletBalance:
    """Return the balance of a tenant's wallet, now or at an instant."""
    async with services.database.begin() as connection:
        tenant = await find_tenant(connection, tenant_id)
        return await wallet_balance(
            connection, tenant, at or now_of(tenant), now=at is None, settings=services.settings
        )


@router.put(_WALLET)
async def put_tenant_wallet(
    services: ServicesNow, caller: Billing, tenant_id: TenantId, wanted: WalletSettings
) -> WalletBalance:
    """Set the top-up rule of a tenant's wallet, and the balance below which it warns."""
    async with services.database.begin() as connection:
        operator, tenant = await customer(connection, caller, tenant_id)
        now = now_of(tenant)
        await set_wallet(connection, tenant.id, wanted)
        await refresh_and_check(connection, tenant.id, now)
        await record(
            connection, operator, "wallet.set", tenant.id, detail=wanted.model_dump(mode="json")
        )
        return await wallet_balance(connection, tenant, now, settings=services.settings)


@router.get(_WALLET + "/ledger")
async def get_tenant_ledger(
    services: ServicesNow,
    caller: Reader,
    tenant_id: TenantId,
    cursor: PageCursor = None,
    limit: PageLimit = 50,
) -> Page[LedgerEntry]:
    """List the ledger of a tenant's wallet, newest first."""
    async with services.database.begin() as connection:
        tenant = await find_tenant(connection, tenant_id)
        return await list_ledger(connection, tenant.id, cursor=cursor, limit=limit)


@router.get(_WALLET + "/grants")
async def get_tenant_grants(
    services: ServicesNow,
    caller: Reader,
    tenant_id: TenantId,
    cursor: PageCursor = None,
    limit: PageLimit = 50,
) -> Page[CreditGrant]:
    """List a tenant's grants of credit."""
    async with services.database.begin() as connection:
        tenant = await find_tenant(connection, tenant_id)
        return await list_grants(connection, tenant.id, cursor=cursor, limit=limit)


@router.get(_WALLET + "/top-ups")
async def get_tenant_top_ups(
    services: ServicesNow,
    caller: Reader,
    tenant_id: TenantId,
    cursor: PageCursor = None,
    limit: PageLimit = 50,
) -> Page[TopUp]:
    """List a tenant's top-ups, newest first."""
    async with services.database.begin() as connection:
        tenant = await find_tenant(connection, tenant_id)
        return await list_top_ups(connection, tenant.id, cursor=cursor, limit=limit)


@router.post(_WALLET + "/top-ups", status_code=201)
async def post_tenant_top_up(
    services: ServicesNow,
    caller: Billing,
    tenant_id: TenantId,
    wanted: TopUpCreate,
    idempotency_key: IdempotencyKey = None,
) -> TopUp:
    """Sell a tenant credit: it is added once the payment is recorded."""
    async with services.database.begin() as connection:
        operator, tenant = await customer(connection, caller, tenant_id)
        return await ask_for_top_up(
            connection,
            tenant.id,
            wanted,
            now_of(tenant),
            idempotency_key=idempotency_key,
            by=operator,
        )


@router.get("/v1/top-ups")
async def get_waiting_top_ups(
    services: ServicesNow, caller: Reader, cursor: PageCursor = None, limit: PageLimit = 50
) -> Page[TenantTopUp]:
    """List the top-ups of all tenants that wait for their payment, oldest first."""
    async with services.database.begin() as connection:
        return await list_waiting_top_ups(connection, cursor=cursor, limit=limit)
