"""Payments that are disputed."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from backend.accounts.tenants import find_tenant
from backend.errors import FareboxError
from backend.invoices.payments.receiving import hold_dunning, release_dunning
from backend.invoices.payments.returning import take_back_by_platform
from backend.platforms.adapter import Disputed
from backend.platforms.drift import Difference, record_drift
from backend.platforms.remote_ids import own_object

_DISPUTED: Final = "disputed"


async def disputed(
    connection: AsyncConnection, platform: str, fact: Disputed, now: datetime
) -> bool:
    """Stop dunning while a payment is disputed. Once it is lost, the invoice asks for it again."""
    ours = await own_object(connection, platform, "invoice", fact.remote_invoice or "")
    if ours is None:
        return False
    tenant_id, invoice_id = ours["tenant_id"], ours["own_id"]
    differences = []
    if fact.won:
        await release_dunning(connection, tenant_id, invoice_id, _DISPUTED)
    elif not fact.over:
        await hold_dunning(connection, tenant_id, invoice_id, _DISPUTED, now)
        detail = f"The dispute {fact.reference} of {fact.amount} is open."
        differences.append(Difference(_DISPUTED, "paid", fact.status, detail))
    else:
        tenant = await find_tenant(connection, tenant_id)
        money = fact.amount, platform, fact.reference
        try:
            async with connection.begin_nested():
                await take_back_by_platform(connection, tenant, invoice_id, *money, now)
                await release_dunning(connection, tenant_id, invoice_id, _DISPUTED)
        except FareboxError as error:
            detail = f"The dispute {fact.reference} of {fact.amount} is lost: {error.detail}"
            differences.append(Difference(_DISPUTED, "paid", fact.status, detail))
    await record_drift(connection, platform, tenant_id, "dispute", fact.reference, differences, now)
    return True
