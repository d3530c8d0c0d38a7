"""Top-ups of credit, paid or failed on the platform."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from backend.accounts.tenants import find_tenant
from backend.invoices.payments.credit_sales import settle_top_up
from backend.invoices.taxing.answers import TaxAnswers
from backend.platforms.adapter import ToppedUp
from backend.platforms.drift import Difference, record_drift
from backend.settings import Settings
from backend.wallets.top_ups import find_top_up
from backend_client.types.wallets import TopUpOutcome


async def topped_up(
    connection: AsyncConnection,
    settings: Settings,
    platform: str,
    fact: ToppedUp,
    now: datetime,
    answers: TaxAnswers,
) -> bool:
    """Grant the credit of a top-up, or record that it failed; a second payment is shown.

    Raises ``TaxQuestionOpen`` where tax falls on the sale and the tax service is to be asked.
    """
    top_up = await find_top_up(connection, fact.tenant_id, fact.top_up_id)
    differences = []
    if top_up.state == "paid" and fact.paid and top_up.reference != fact.reference:
        detail = "This top-up was paid before: give the second payment back."
        differences.append(Difference("paid_twice", top_up.reference, fact.reference, detail))
    await record_drift(
        connection, platform, fact.tenant_id, "top_up", fact.top_up_id, differences, now
    )
    if top_up.state == "pending":
        outcome = TopUpOutcome(state="paid" if fact.paid else "failed", reference=fact.reference)
        tenant = await find_tenant(connection, fact.tenant_id)
        await settle_top_up(connection, settings, tenant, fact.top_up_id, outcome, now, answers)
    return True
