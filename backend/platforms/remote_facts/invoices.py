"""An invoice that was paid, failed, voided or given up on the platform."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from backend.invoices.payments.receiving import hold_dunning, receive_payment, release_dunning
from backend.platforms.adapter import InvoiceMoved
from backend.platforms.drift import VOIDED_THERE, compare_invoice
from backend.platforms.remote_ids import note_state


async def invoice_moved(
    connection: AsyncConnection, platform: str, fact: InvoiceMoved, now: datetime
) -> bool:
    """Bring in how an invoice stands on the platform: what was paid of it, and whether it holds."""
    remote = fact.invoice
    for payment in remote.payments:
        await receive_payment(
            connection,
            fact.tenant_id,
            fact.own_id,
            payment.amount,
            platform,
            payment.reference,
            payment.paid_at,
            now,
        )
    state: dict[str, object] = {
        "status": remote.status,
        "pay_url": remote.pay_url,
        "failure": remote.failure,
        "number": remote.number,
    }
    await note_state(
        connection, platform, fact.tenant_id, "invoice", fact.own_id, remote.remote_id, state
    )
    differences = await compare_invoice(
        connection, platform, fact.tenant_id, fact.own_id, remote, now
    )
    if any(difference.cause == VOIDED_THERE for difference in differences):
        await hold_dunning(connection, fact.tenant_id, fact.own_id, VOIDED_THERE, now)
    else:
        await release_dunning(connection, fact.tenant_id, fact.own_id, VOIDED_THERE)
    return True
