"""Where the tenant pays: pages of the billing platform that collects from it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends

from backend.accounts.principal import Permission, Principal
from backend.api.dependencies import ServicesNow, needs
from backend.api.path_parameters import InvoiceId, TopUpId
from backend.platforms.paying import (
    customer_link,
    invoice_link,
    method_link,
    payment_options,
    saved_methods,
    top_up_link,
)
from backend_client.types.platforms import PaymentLink, PaymentMethod, PaymentOptions

router = APIRouter(tags=["payments"])

Reader = Annotated[Principal, Depends(needs(Permission.SPEND_READ))]
Payer = Annotated[Principal, Depends(needs(Permission.SUBSCRIPTION_WRITE))]


@router.get("/v1/payment-options")
async def get_payment_options(services: ServicesNow, caller: Reader) -> PaymentOptions:
    """Return which platform collects from the tenant: whether it can pay on pages of one."""
    return await payment_options(services.database, services.platforms, caller.tenant_id)


@router.post("/v1/invoices/{invoice_id}/payment-link")
async def post_invoice_link(
    services: ServicesNow, caller: Payer, invoice_id: InvoiceId
) -> PaymentLink:
    """Return the page on which an invoice is paid. 409 if nothing is due, or nobody collects."""
    return await invoice_link(
        services.database, services.settings, services.platforms, caller.tenant_id, invoice_id
    )


@router.post("/v1/wallet/top-ups/{top_up_id}/payment-link")
async def post_top_up_link(services: ServicesNow, caller: Payer, top_up_id: TopUpId) -> PaymentLink:
    """Return the page on which a top-up is paid; the credit is there once that is done."""
    return await top_up_link(
        services.database, services.settings, services.platforms, caller.tenant_id, top_up_id
    )


@router.get("/v1/payment-methods")
async def get_payment_methods(services: ServicesNow, caller: Payer) -> list[PaymentMethod]:
    """List what the tenant saved to be charged by, on the platform that collects from it.

    409 if no platform does.
    """
    return await saved_methods(services.database, services.platforms, caller.tenant_id)


@router.post("/v1/payment-methods/link")
async def post_method_link(services: ServicesNow, caller: Payer) -> PaymentLink:
    """Return the page on which a payment method is saved; later invoices are charged to it."""
    return await method_link(
        services.database, services.settings, services.platforms, caller.tenant_id
    )


@router.post("/v1/billing-portal/link")
async def post_portal_link(services: ServicesNow, caller: Payer) -> PaymentLink:
    """Return the tenant's own pages on the platform: its methods, invoices and receipts."""
    return await customer_link(
        services.database, services.settings, services.platforms, caller.tenant_id
    )
