"""Whether a customer's calls are suspended because an invoice is long overdue."""

from __future__ import annotations

from sqlalchemy import exists, select
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.customers.dunning import SUSPEND
from backend.errors import FareboxError
from backend.storage.tables import invoice_reminders, invoices
from backend_client.types.invoices import InvoiceState


class PaymentOverdue(FareboxError):
    """An invoice has reached the last step of dunning; paying it ends the suspension."""

    status, code, title = 402, "payment_overdue", "Payment is overdue"

    def __init__(self) -> None:
        super().__init__("An invoice is long overdue, so calls are suspended until it is paid.")


async def is_suspended(connection: AsyncConnection, tenant_id: str) -> bool:
    """Return whether an invoice of the tenant has reached suspension and is not paid yet."""
    query = select(
        exists().where(
            invoice_reminders.c.tenant_id == tenant_id,
            invoice_reminders.c.step == SUSPEND,
            invoices.c.tenant_id == tenant_id,
            invoices.c.id == invoice_reminders.c.invoice_id,
            invoices.c.state == InvoiceState.FINALIZED.value,
        )
    )
    return bool(await connection.scalar(query))
