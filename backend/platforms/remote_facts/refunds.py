"""Money that the platform paid back, for an invoice or for a top-up."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from backend.accounts.tenants import find_tenant
from backend.errors import FareboxError
from backend.invoices.issuing.issuing import Received
from backend.invoices.payments.credit_sales import refund_credit
from backend.invoices.payments.receiving import hold_dunning, receive_refund
from backend.platforms.adapter import MoneyBack
from backend.platforms.drift import Difference, record_drift
from backend.platforms.remote_ids import own_object
from backend.settings import Settings
from backend.wallets.queries import find_grant


async def money_back(
    connection: AsyncConnection,
    settings: Settings,
    platform: str,
    fact: MoneyBack,
    now: datetime,
) -> bool:
    """Write the credit note of a refund, or take back the credit of a refunded top-up."""
    if fact.top_up_id is not None and fact.tenant_id is not None:
        return await _top_up_back(connection, settings, platform, fact, now)
    ours = await own_object(connection, platform, "invoice", fact.remote_invoice or "")
    if ours is None:
        return False
    tenant_id, invoice_id = ours["tenant_id"], ours["own_id"]
    tenant = await find_tenant(connection, tenant_id)
    differences: list[Difference] = []
    try:
        async with connection.begin_nested():
            await receive_refund(
                connection,
                settings,
                tenant,
                invoice_id,
                fact.amount,
                platform,
                fact.reference,
                now,
            )
    except FareboxError as error:
        detail = f"{fact.reference} paid back what no credit note covers: {error.detail}"
        back = f"{fact.amount} {fact.currency}"
        differences.append(Difference("refunded_there", None, back, detail))
        await hold_dunning(connection, tenant_id, invoice_id, "refunded_there", now)
    await record_drift(connection, platform, tenant_id, "refund", fact.reference, differences, now)
    return True


async def _top_up_back(
    connection: AsyncConnection, settings: Settings, platform: str, fact: MoneyBack, now: datetime
) -> bool:
    """Take the credit of a refunded top-up back, as far as it was not used."""
    tenant_id, top_up_id = str(fact.tenant_id), str(fact.top_up_id)
    grant = await find_grant(connection, tenant_id, top_up_id)
    differences: list[Difference] = []
    if fact.amount >= grant.amount:
        tenant = await find_tenant(connection, tenant_id)
        back = Received(platform, fact.reference)
        grant = await refund_credit(connection, settings, tenant, top_up_id, now, paid_out=back)
        if grant.taxed_at_sale and not grant.available:
            return True  # paid back with its tax
    if grant.refunded != fact.amount:
        detail = "More was paid back for a top-up than is left of its credit, or only a part."
        ours, theirs = f"{grant.refunded}", f"{fact.amount}"
        differences.append(Difference("refunded_there", ours, theirs, detail))
    await record_drift(connection, platform, tenant_id, "top_up", top_up_id, differences, now)
    return True
