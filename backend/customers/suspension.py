"""Whether a customer's calls are suspended because an invoice is long overdue."""

from __future__ import annotations

from sqlalchemy import exists, not_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.customers.dunning import SUSPEND
from backend.storage.tables import dunning_holds, invoice_reminders, invoices
from backend_client.types.invoices import InvoiceState


async def is_suspended(connection: AsyncConnection, tenant_id: str) -> bool:
    """Return whether an invoice of the tenant has reached suspension and is not paid yet."""
    query = select(
        exists().where(
            invoice_reminders.c.tenant_id == tenant_id,
            invoice_reminders.c.step == SUSPEND,
            invoices.c.tenant_id == tenant_id,
            invoices.c.id == invoice_reminders.c.invoice_id,
            invoices.c.state == InvoiceState.FINALIZED.value,
            not_(
                exists().where(
                    dunning_holds.c.tenant_id == invoices.c.tenant_id,
                    dunning_holds.c.invoice_id == invoices.c.id,
                )
            ),
        )
    )
    return bool(await connection.scalar(query))
