"""Money of tenants' invoices that goes back or is applied by hand; for the operator."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends

from backend.accounts.clocks import now_of
from backend.accounts.principal import Permission, Principal
from backend.accounts.tenants import find_tenant
from backend.api.dependencies import IdempotencyKey, ServicesNow, needs
from backend.api.path_parameters import InvoiceId, PaymentId, TenantId
from backend.invoices.payments.applying import account_balance, apply_by_hand
from backend.invoices.payments.returning import refund_balance, refund_payment, return_payment
from backend.invoices.queries import find_invoice
from backend_client.types.balance import AccountBalance
from backend_client.types.invoices import (
    ApplyToInvoice,
    BalanceRefund,
    Invoice,
    PaymentRefund,
    PaymentReturn,
)

router = APIRouter(tags=["operator"])

Biller = Annotated[Principal, Depends(needs(Permission.OPERATE_BILLING))]

_TENANT = "/v1/tenants/{tenant_id}"
_INVOICE = _TENANT + "/invoices/{invoice_id}"


@router.post(_INVOICE + "/payments/{payment_id}/return")
async def post_payment_return(
    services: ServicesNow,
    caller: Biller,
    tenant_id: TenantId,
    invoice_id: InvoiceId,
    payment_id: PaymentId,
    wanted: PaymentReturn,
) -> Invoice:
    """Record that a bank or a card's owner took a payment back. It may be repeated.

    The invoice is open again, due when it was, and dunning goes on.
    """
    async with services.database.begin() as connection:
        tenant = await find_tenant(connection, tenant_id)
        now = now_of(tenant)
        await return_payment(connection, tenant, invoice_id, payment_id, wanted, now, by=caller)
        return await find_invoice(connection, services.settings, tenant.id, invoice_id, now)


@router.post(_INVOICE + "/payments/{payment_id}/refund")
async def post_payment_refund(
    services: ServicesNow,
    caller: Biller,
    tenant_id: TenantId,
    invoice_id: InvoiceId,
    payment_id: PaymentId,
    wanted: PaymentRefund,
) -> Invoice:
    """Record money that was paid back of a payment. The same reference again is the same refund.

    It is taken from the customer's balance; where that holds less, the invoice is credited by the
    amount first.
    """
    async with services.database.begin() as connection:
        tenant = await find_tenant(connection, tenant_id)
        now = now_of(tenant)
        await refund_payment(
            connection,
            services.settings,
            tenant,
            invoice_id,
            payment_id,
            wanted,
            now,
            by=caller,
        )
        return await find_invoice(connection, services.settings, tenant.id, invoice_id, now)


@router.post(_INVOICE + "/apply")
async def post_apply(
    services: ServicesNow,
    caller: Biller,
    tenant_id: TenantId,
    invoice_id: InvoiceId,
    wanted: ApplyToInvoice,
    idempotency_key: IdempotencyKey = None,
) -> Invoice:
    """Let a tenant's balance, or the credit that it bought, pay an open invoice now."""
    async with services.database.begin() as connection:
        tenant = await find_tenant(connection, tenant_id)
        now = now_of(tenant)
        await apply_by_hand(
            connection,
            services.settings,
            tenant,
            invoice_id,
            wanted,
            now,
            idempotency_key=idempotency_key,
            by=caller,
        )
        return await find_invoice(connection, services.settings, tenant.id, invoice_id, now)


@router.post(_TENANT + "/balance/refunds")
async def post_balance_refund(
    services: ServicesNow, caller: Biller, tenant_id: TenantId, wanted: BalanceRefund
) -> AccountBalance:
    """Record that a tenant's balance was paid out. The same reference again is the same refund."""
    async with services.database.begin() as connection:
        tenant = await find_tenant(connection, tenant_id)
        now = now_of(tenant)
        await refund_balance(connection, tenant, wanted, now, by=caller)
        return await account_balance(connection, tenant, now)
