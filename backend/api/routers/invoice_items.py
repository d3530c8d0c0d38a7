"""Lines of the operator's own that wait for a tenant's next invoice."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends

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
from backend.api.path_parameters import InvoiceItemId, TenantId
from backend.invoices.drafts.items import add_item, list_items, remove_item
from backend_client.types.common import Page
from backend_client.types.invoice_items import InvoiceItem, InvoiceItemCreate

router = APIRouter(tags=["operator"])

OperatorReader = Annotated[Principal, Depends(needs(Permission.OPERATE_READ))]
Biller = Annotated[Principal, Depends(needs(Permission.OPERATE_BILLING))]

_ITEMS = "/v1/tenants/{tenant_id}/invoice-items"


@router.get(_ITEMS)
async def get_invoice_items(
    services: ServicesNow,
    caller: OperatorReader,
    tenant_id: TenantId,
    cursor: PageCursor = None,
    limit: PageLimit = 50,
) -> Page[InvoiceItem]:
    """List the lines that wait for a tenant's next invoice, and those that were taken."""
    async with services.database.begin() as connection:
        tenant = await find_tenant(connection, tenant_id)
        return await list_items(connection, tenant, cursor=cursor, limit=limit)


@router.post(_ITEMS, status_code=201)
async def post_invoice_item(
    services: ServicesNow,
    caller: Biller,
    tenant_id: TenantId,
    wanted: InvoiceItemCreate,
    idempotency_key: IdempotencyKey = None,
) -> InvoiceItem:
    """Put a line on a tenant's next invoice; below zero it is a credit."""
    async with services.database.begin() as connection:
        tenant = await find_tenant(connection, tenant_id)
        return await add_item(
            connection,
            tenant,
            wanted,
            now_of(tenant),
            idempotency_key=idempotency_key,
            by=caller,
        )


@router.delete(_ITEMS + "/{item_id}", status_code=204)
async def delete_invoice_item(
    services: ServicesNow, caller: Biller, tenant_id: TenantId, item_id: InvoiceItemId
) -> None:
    """Remove a line that no invoice has taken."""
    async with services.database.begin() as connection:
        tenant = await find_tenant(connection, tenant_id)
        await remove_item(connection, tenant, item_id, by=caller)
