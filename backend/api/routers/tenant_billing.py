"""A tenant's plan, coupons, contracts and billing details, for the operator who acts for it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends

from backend.accounts.audit.writing import record
from backend.accounts.clocks import now_of
from backend.accounts.principal import Permission, Principal
from backend.api.dependencies import ServicesNow, needs
from backend.api.path_parameters import TenantId
from backend.api.tenant_scope import customer
from backend.customers.profiles import profile_of, set_details
from backend.customers.tax_ids import look_up_now, tax_id_check
from backend.invoices.payments.applying import account_balance
from backend.subscriptions.changes import cancel, pause, resume
from backend.subscriptions.contracts import list_contracts
from backend.subscriptions.coupons import redeem, redeemed_by
from backend.subscriptions.queries import current_subscription
from backend_client.types.balance import AccountBalance
from backend_client.types.common import Page
from backend_client.types.contracts import Contract, CouponRedeem, RedeemedCoupon
from backend_client.types.invoices import BillingDetails
from backend_client.types.subscriptions import (
    Subscription,
    SubscriptionCancel,
    SubscriptionPause,
)
from backend_client.types.taxes import TaxIdCheck

router = APIRouter(tags=["operator"])

Reader = Annotated[Principal, Depends(needs(Permission.OPERATE_READ))]
Billing = Annotated[Principal, Depends(needs(Permission.OPERATE_BILLING))]

_TENANT = "/v1/tenants/{tenant_id}"


@router.get(_TENANT + "/subscription")
async def get_tenants_subscription(
    services: ServicesNow, caller: Reader, tenant_id: TenantId
) -> Subscription:
    """Return a tenant's plan in force, and the one that follows it if a change is scheduled."""
    async with services.database.begin() as connection:
        _, tenant = await customer(connection, caller, tenant_id)
        return await current_subscription(connection, tenant.id, now_of(tenant))


@router.get(_TENANT + "/balance")
async def get_tenants_balance(
    services: ServicesNow, caller: Reader, tenant_id: TenantId
) -> AccountBalance:
    """Return a tenant's balance, and what its open invoices still ask for."""
    async with services.database.begin() as connection:
        _, tenant = await customer(connection, caller, tenant_id)
        return await account_balance(connection, tenant, now_of(tenant))


@router.post(_TENANT + "/subscription/pause")
async def post_tenants_pause(
    services: ServicesNow, caller: Billing, tenant_id: TenantId, wanted: SubscriptionPause
) -> Subscription:
    """Pause a tenant's subscription: no fee runs, and calls are refused."""
    async with services.database.begin() as connection:
        operator, tenant = await customer(connection, caller, tenant_id)
        paused = await pause(connection, tenant.id, wanted, now_of(tenant))
        await record(connection, operator, "subscription.pause", paused.id)
        return paused


@router.post(_TENANT + "/subscription/resume")
async def post_tenants_resume(
    services: ServicesNow, caller: Billing, tenant_id: TenantId
) -> Subscription:
    """Resume a tenant's paused subscription, from the next quarter hour."""
    async with services.database.begin() as connection:
        operator, tenant = await customer(connection, caller, tenant_id)
        resumed = await resume(connection, tenant.id, now_of(tenant))
        await record(connection, operator, "subscription.resume", resumed.id)
        return resumed


@router.post(_TENANT + "/subscription/cancel")
async def post_tenants_cancel(
    services: ServicesNow, caller: Billing, tenant_id: TenantId, wanted: SubscriptionCancel
) -> Subscription:
    """End a tenant's subscription with its billing period, the year of its fees, or now."""
    async with services.database.begin() as connection:
        operator, tenant = await customer(connection, caller, tenant_id)
        ended = await cancel(connection, tenant.id, wanted, now_of(tenant))
        detail: dict[str, object] = {"when": wanted.when}
        await record(connection, operator, "subscription.cancel", ended.id, detail=detail)
        return ended


@router.get(_TENANT + "/subscription/coupons")
async def get_tenants_coupons(
    services: ServicesNow, caller: Reader, tenant_id: TenantId
) -> Page[RedeemedCoupon]:
    """List the coupons that a tenant has redeemed."""
    async with services.database.begin() as connection:
        _, tenant = await customer(connection, caller, tenant_id)
        return Page(items=await redeemed_by(connection, tenant.id))


@router.post(_TENANT + "/subscription/coupons", status_code=201)
async def post_tenants_redemption(
    services: ServicesNow, caller: Billing, tenant_id: TenantId, wanted: CouponRedeem
) -> RedeemedCoupon:
    """Redeem a coupon for a tenant, from the present period on. Doing it again does nothing."""
    async with services.database.begin() as connection:
        operator, tenant = await customer(connection, caller, tenant_id)
        redeemed = await redeem(connection, tenant, wanted.coupon, now_of(tenant))
        await record(connection, operator, "coupon.redeem", wanted.coupon)
        return redeemed


@router.get(_TENANT + "/contracts")
async def get_tenants_contracts(
    services: ServicesNow, caller: Reader, tenant_id: TenantId
) -> Page[Contract]:
    """List a tenant's contracts, oldest first."""
    async with services.database.begin() as connection:
        _, tenant = await customer(connection, caller, tenant_id)
        return Page(items=await list_contracts(connection, tenant.id))


@router.get(_TENANT + "/billing-details")
async def get_tenants_billing_details(
    services: ServicesNow, caller: Reader, tenant_id: TenantId
) -> BillingDetails:
    """Return a tenant's name and address on invoices, and where it is taxed."""
    async with services.database.begin() as connection:
        _, tenant = await customer(connection, caller, tenant_id)
        return (await profile_of(connection, tenant.id)).details


@router.put(_TENANT + "/billing-details")
async def put_tenants_billing_details(
    services: ServicesNow, caller: Billing, tenant_id: TenantId, details: BillingDetails
) -> BillingDetails:
    """Change a tenant's details on future invoices; issued ones keep theirs."""
    async with services.database.begin() as connection:
        operator, tenant = await customer(connection, caller, tenant_id)
        detail = details.model_dump(
            mode="json", include={"country", "region", "business", "tax_id"}
        )
        await record(connection, operator, "billing-details.change", tenant.id, detail=detail)
        return await set_details(connection, tenant.id, details)


@router.get(_TENANT + "/billing-details/tax-id-check")
async def get_tenants_tax_id_check(
    services: ServicesNow, caller: Reader, tenant_id: TenantId
) -> TaxIdCheck:
    """Return what VIES says of a tenant's VAT id, and when it said so."""
    async with services.database.begin() as connection:
        _, tenant = await customer(connection, caller, tenant_id)
        return await tax_id_check(connection, tenant.id)


@router.post(_TENANT + "/billing-details/tax-id-check")
async def post_tenants_tax_id_check(
    services: ServicesNow, caller: Billing, tenant_id: TenantId
) -> TaxIdCheck:
    """Ask VIES about a tenant's VAT id now. A service that is away is said in the answer."""
    async with services.database.begin() as connection:
        operator, tenant = await customer(connection, caller, tenant_id)
    check = await look_up_now(services.database, services.settings, tenant.id, datetime.now(UTC))
    async with services.database.begin() as connection:
        detail: dict[str, object] = {"outcome": check.outcome.value}
        await record(connection, operator, "tax-id.look-up", tenant.id, detail=detail)
    return check
