"""The tenant's prepaid credit; and for the operator, giving and selling it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends

from backend.accounts.audit.writing import record
from backend.accounts.clocks import now_of, tenant_now
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
from backend.api.path_parameters import GrantId, TenantId, TopUpId
from backend.invoices.payments.credit_sales import refund_credit, settle_top_up
from backend.invoices.taxing.answers import TaxAnswers, with_answers
from backend.wallets.grants import add_grant
from backend.wallets.queries import (
    list_grants,
    list_ledger,
    list_top_ups,
    set_wallet,
    wallet_balance,
)
from backend.wallets.top_ups import ask_for_top_up, refresh_and_check
from backend_client.types.common import Page
from backend_client.types.wallets import (
    CreditGrant,
    CreditGrantCreate,
    LedgerEntry,
    TopUp,
    TopUpCreate,
    TopUpOutcome,
    WalletBalance,
    WalletSettings,
)

router = APIRouter(tags=["wallet"])

Reader = Annotated[Principal, Depends(needs(Permission.SPEND_READ))]
Changer = Annotated[Principal, Depends(needs(Permission.SUBSCRIPTION_WRITE))]
Biller = Annotated[Principal, Depends(needs(Permission.OPERATE_BILLING))]


@router.get("/v1/wallet")
async def get_wallet(
    services: ServicesNow, caller: Reader, at: BalanceInstant = None
) -> WalletBalance:
    """Return the wallet's balance, now or at an instant."""
    async with services.database.begin() as connection:
        tenant = await find_tenant(connection, caller.tenant_id)
        now = now_of(tenant)
        if at is None:
            await refresh_and_check(connection, tenant.id, now)
        return await wallet_balance(
            connection, tenant, at or now, now=at is None, settings=services.settings
        )


@router.put("/v1/wallet")
async def put_wallet(
    services: ServicesNow, caller: Changer, wanted: WalletSettings
) -> WalletBalance:
    """Set the wallet's top-up rule, and the balance below which it warns."""
    async with services.database.begin() as connection:
        tenant = await find_tenant(connection, caller.tenant_id)
        now = now_of(tenant)
        await set_wallet(connection, tenant.id, wanted)
        await refresh_and_check(connection, tenant.id, now)
        await record(
            connection, caller, "wallet.set", tenant.id, detail=wanted.model_dump(mode="json")
        )
        return await wallet_balance(connection, tenant, now, settings=services.settings)


@router.get("/v1/wallet/ledger")
async def get_ledger(
    services: ServicesNow, caller: Reader, cursor: PageCursor = None, limit: PageLimit = 50
) -> Page[LedgerEntry]:
    """List the wallet's ledger, newest first. Entries are never changed."""
    async with services.database.begin() as connection:
        return await list_ledger(connection, caller.tenant_id, cursor=cursor, limit=limit)


@router.get("/v1/wallet/grants")
async def get_grants(
    services: ServicesNow, caller: Reader, cursor: PageCursor = None, limit: PageLimit = 50
) -> Page[CreditGrant]:
    """List the grants of credit, with where each one's amount is now."""
    async with services.database.begin() as connection:
        return await list_grants(connection, caller.tenant_id, cursor=cursor, limit=limit)


@router.get("/v1/wallet/top-ups")
async def get_top_ups(
    services: ServicesNow, caller: Reader, cursor: PageCursor = None, limit: PageLimit = 50
) -> Page[TopUp]:
    """List top-ups, newest first."""
    async with services.database.begin() as connection:
        return await list_top_ups(connection, caller.tenant_id, cursor=cursor, limit=limit)


@router.post("/v1/wallet/top-ups", status_code=201)
async def post_top_up(
    services: ServicesNow,
    caller: Changer,
    wanted: TopUpCreate,
    idempotency_key: IdempotencyKey = None,
) -> TopUp:
    """Ask for a top-up. The credit is added once the operator has the payment."""
    async with services.database.begin() as connection:
        return await ask_for_top_up(
            connection,
            caller.tenant_id,
            wanted,
            await tenant_now(connection, caller.tenant_id),
            idempotency_key=idempotency_key,
            by=caller,
        )


@router.post("/v1/tenants/{tenant_id}/wallet/grants", status_code=201)
async def post_grant(
    services: ServicesNow,
    caller: Biller,
    tenant_id: TenantId,
    wanted: CreditGrantCreate,
    idempotency_key: IdempotencyKey = None,
) -> CreditGrant:
    """Give a tenant credit."""
    async with services.database.begin() as connection:
        tenant = await find_tenant(connection, tenant_id)
        return await add_grant(
            connection,
            tenant.id,
            wanted,
            now_of(tenant),
            idempotency_key=idempotency_key,
            by=caller,
        )


@router.post("/v1/tenants/{tenant_id}/wallet/grants/{grant_id}/refund")
async def post_refund(
    services: ServicesNow, caller: Biller, tenant_id: TenantId, grant_id: GrantId
) -> CreditGrant:
    """Take the rest of bought credit out of the wallet, to be repaid.

    If its sale was taxed, a credit note takes back the tax, and what was paid goes to the balance.
    """
    async with services.database.begin() as connection:
        tenant = await find_tenant(connection, tenant_id)
        now = now_of(tenant)
        return await refund_credit(connection, services.settings, tenant, grant_id, now, by=caller)


@router.put("/v1/tenants/{tenant_id}/wallet/top-ups/{top_up_id}")
async def put_top_up(
    services: ServicesNow,
    caller: Biller,
    tenant_id: TenantId,
    top_up_id: TopUpId,
    outcome: TopUpOutcome,
) -> TopUp:
    """Record the outcome of a payment; if it was paid, the credit is added at once.

    ``invoice_id`` of the answer is its document: a receipt, or where tax falls on the sale an
    invoice.
    """
    answers = TaxAnswers(services.tax_service)

    async def once() -> TopUp:
        async with services.database.begin() as connection:
            tenant = await find_tenant(connection, tenant_id)
            now = now_of(tenant)
            return await settle_top_up(
                connection, services.settings, tenant, top_up_id, outcome, now, answers, by=caller
            )

    return await with_answers(answers, once)
