"""Credit notes that somebody wrote on the platform."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.accounts.tenants import find_tenant
from backend.errors import FareboxError
from backend.invoices.corrections.credit_notes import credit_total
from backend.platforms.adapter import CreditedThere
from backend.platforms.drift import VOIDED_THERE, Difference, record_drift
from backend.platforms.remote_ids import keep_remote_id, own_object
from backend.settings import Settings
from backend.storage.tables import credit_notes, payments


async def credited(
    connection: AsyncConnection,
    settings: Settings,
    platform: str,
    fact: CreditedThere,
    now: datetime,
) -> bool:
    """Write the credit note here too that somebody wrote there."""
    ours = await own_object(connection, platform, "invoice", fact.remote_invoice)
    if ours is None:
        return False
    tenant_id, invoice_id = ours["tenant_id"], ours["own_id"]
    there = await own_object(connection, platform, "credit_note", fact.remote_id)
    differences = []
    if fact.void:
        if there is not None:
            detail = "A credit note was voided there that holds here."
            differences.append(Difference(VOIDED_THERE, "issued", "void", detail))
    elif there is None:
        note_id = await _note_of_refunds(connection, platform, tenant_id, fact)
        if note_id is None:
            tenant = await find_tenant(connection, tenant_id)
            try:
                async with connection.begin_nested():
                    note_id = await credit_total(
                        connection,
                        settings,
                        tenant,
                        invoice_id,
                        fact.total,
                        fact.reason,
                        now,
                        idempotency_key=f"{platform} {fact.remote_id}",
                    )
            except FareboxError as error:
                detail = f"A credit note of {fact.total} there can't be written here: "
                differences.append(
                    Difference("credited_there", None, str(fact.total), detail + error.detail)
                )
        if note_id is not None:
            await keep_remote_id(
                connection, platform, tenant_id, "credit_note", note_id, fact.remote_id
            )
    await record_drift(
        connection, platform, tenant_id, "credit_note", fact.remote_id, differences, now
    )
    return True


async def _note_of_refunds(
    connection: AsyncConnection, platform: str, tenant_id: str, fact: CreditedThere
) -> str | None:
    """Return our credit note that a refund of this one has brought already."""
    for reference in fact.refunds:
        recorded = select(payments.c.id).where(
            payments.c.tenant_id == tenant_id,
            payments.c.method == platform,
            payments.c.reference == reference,
        )
        if await connection.scalar(recorded) is None:
            continue
        note = select(credit_notes.c.id).where(
            credit_notes.c.tenant_id == tenant_id,
            credit_notes.c.reason == f"Refunded by {platform}, {reference}",
        )
        note_id: str | None = await connection.scalar(note)
        if note_id is not None:
            return note_id
    return None
