"""Payments that are disputed."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from backend.invoices.receiving import hold_dunning, release_dunning
from backend.platforms.adapter import Disputed
from backend.platforms.drift import Difference, record_drift
from backend.platforms.remote_ids import own_object

_DISPUTED: Final = "disputed"


async def disputed(
    connection: AsyncConnection, platform: str, fact: Disputed, now: datetime
) -> bool:
    """Stop dunning while a payment is disputed, and show it until it is won."""
    ours = await own_object(connection, platform, "invoice", fact.remote_invoice or "")
    if ours is None:
        return False
    tenant_id, invoice_id = ours["tenant_id"], ours["own_id"]
    differences = []
    if fact.won:
        await release_dunning(connection, tenant_id, invoice_id, _DISPUTED)
    else:
        await hold_dunning(connection, tenant_id, invoice_id, _DISPUTED, now)
        how = "is lost: credit the invoice, or collect it otherwise" if fact.over else "is open"
        detail = f"The dispute {fact.reference} of {fact.amount} {how}."
        differences.append(Difference(_DISPUTED, "paid", fact.status, detail))
    await record_drift(connection, platform, tenant_id, "dispute", fact.reference, differences, now)
    return True
