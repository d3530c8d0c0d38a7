"""Top-ups of credit, paid or failed on the platform."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from backend.platforms.adapter import ToppedUp
from backend.platforms.drift import Difference, record_drift
from backend.wallets.top_ups import find_top_up, finish_top_up
from backend_client.types.wallets import TopUpOutcome


async def topped_up(
    connection: AsyncConnection, platform: str, fact: ToppedUp, now: datetime
) -> bool:
    """Grant the credit of a top-up, or record that it failed; a second payment is shown."""
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
        await finish_top_up(connection, fact.tenant_id, fact.top_up_id, outcome, now)
    return True
