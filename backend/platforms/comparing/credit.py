"""Finds credit that a platform holds for a tenant, while ours is in the wallet alone."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import RowMapping, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.accounts.tenants import find_tenant
from backend.platforms.adapter import Adapter
from backend.platforms.documents import CreditBlock, CreditDraw
from backend.platforms.drift import Difference, open_subjects, record_drift
from backend.storage.database import Database
from backend.storage.tables import platform_connections, platform_objects
from backend_client.types.common import plain

_KIND: Final = "credit"
_DRAWS_OF: Final = timedelta(days=35)
"""How long it is told what an invoice drew: longer than a billing period."""


async def verify_credit(
    database: Database, adapter: Adapter, row: RowMapping, now: datetime
) -> None:
    """Record credit that only the platform knows of, and what it paid. Raises ``NotDelivered``."""
    platform, tenant_id = adapter.name, row["tenant_id"]
    async with database.begin() as connection:
        customers = await _customers(connection, platform, tenant_id)
        since = max(now - _DRAWS_OF, await _connected_since(connection, platform, tenant_id))
    differences: dict[str, Difference] = {}
    for currency, customer in customers.items():
        credit = await adapter.read_credit(tenant_id, currency, customer, since)
        differences |= {block.remote_id: _held(block, currency) for block in credit.blocks}
        differences |= {draw.remote_invoice: _drawn(draw) for draw in credit.draws}
    async with database.begin() as connection:
        before = await open_subjects(connection, platform, tenant_id, _KIND)
        for subject in sorted(before | differences.keys()):
            difference = differences.get(subject)
            parts = [] if difference is None else [difference]
            await record_drift(connection, platform, tenant_id, _KIND, subject, parts, now)


def _held(block: CreditBlock, currency: str) -> Difference:
    amount = f"{plain(block.amount)} {block.unit}"
    parts = [f"The platform holds {amount} of credit that is unknown here ({block.source})"]
    if block.starts_at is not None:
        parts.append(f"from {block.starts_at:%Y-%m-%d %H:%M} UTC")
    until = block.expires_at and f"until {block.expires_at:%Y-%m-%d %H:%M} UTC"
    held = ", ".join([*parts, until or "without an end"])
    if not block.is_money:
        why = f"It is no money: it pays no price in {currency}."
        return Difference("credit_in_units", None, amount, f"{held}. {why}")
    when = ", once it is paid for" if block.pending else ""
    why = f"It pays usage that the platform invoices{when}: void it there if it should not."
    return Difference("credit_unknown_here", None, amount, f"{held}. {why}")


def _drawn(draw: CreditDraw) -> Difference:
    amount = f"{plain(draw.amount)} {draw.currency}"
    detail = f"Its invoice {draw.remote_invoice} drew {amount} on credit that is unknown here."
    return Difference("credit_drawn_there", None, amount, detail)


async def _customers(
    connection: AsyncConnection, platform: str, tenant_id: str
) -> dict[str, str | None]:
    """Return the tenant's customers there by currency; None if we have made none in its own."""
    query = select(platform_objects.c.own_id, platform_objects.c.remote_id).where(
        platform_objects.c.tenant_id == tenant_id,
        platform_objects.c.platform == platform,
        platform_objects.c.kind == "customer",
    )
    rows = (await connection.execute(query)).mappings().all()
    currency = (await find_tenant(connection, tenant_id)).currency
    return {currency: None} | {row["own_id"]: row["remote_id"] for row in rows}


async def _connected_since(connection: AsyncConnection, platform: str, tenant_id: str) -> datetime:
    query = select(func.min(platform_connections.c.starts_at)).where(
        platform_connections.c.tenant_id == tenant_id, platform_connections.c.platform == platform
    )
    since: datetime = (await connection.execute(query)).scalar_one()
    return since
