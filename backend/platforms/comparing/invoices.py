"""Compares a tenant's invoices with its platform's."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import RowMapping, and_, func, or_, select

from backend.platforms.adapter import Adapter, InvoiceMoved, Refused
from backend.platforms.drift import Difference, record_drift
from backend.platforms.remote_facts.invoices import invoice_moved
from backend.storage.database import Database
from backend.storage.tables import invoices, platform_objects
from backend.storage.tables import platform_dispatches as dispatches
from backend_client.types.platforms import PlatformMode

INVOICES_OF: Final = timedelta(days=120)
"""How far back invoices are compared again; open ones always are."""
_GRACE: Final = timedelta(hours=1)
"""How long something may be on its way before it is said to be missing."""


async def verify_invoices(
    database: Database, adapter: Adapter, row: RowMapping, now: datetime
) -> None:
    """Compare each invoice that was pushed, or should have been. Raises ``NotDelivered``."""
    platform, tenant_id = adapter.name, row["tenant_id"]
    ours = (
        select(
            invoices.c.id,
            invoices.c.number,
            invoices.c.issued_at,
            platform_objects.c.remote_id,
            dispatches.c.state,
            dispatches.c.reason,
        )
        .outerjoin(
            platform_objects,
            and_(
                platform_objects.c.tenant_id == invoices.c.tenant_id,
                platform_objects.c.platform == platform,
                platform_objects.c.kind == "invoice",
                platform_objects.c.own_id == invoices.c.id,
            ),
        )
        .outerjoin(
            dispatches,
            and_(
                dispatches.c.tenant_id == invoices.c.tenant_id,
                dispatches.c.platform == platform,
                dispatches.c.fact == func.concat("invoice:", invoices.c.id),
            ),
        )
        .where(
            invoices.c.tenant_id == tenant_id,
            invoices.c.issued_at >= row["starts_at"],
            invoices.c.state != "draft",
            invoices.c.kind != "top_up",  # paid already, and not sent
            or_(invoices.c.issued_at > now - INVOICES_OF, invoices.c.state == "finalized"),
        )
    )
    if row["ends_at"] is not None:
        ours = ours.where(invoices.c.issued_at < row["ends_at"])
    async with database.begin() as connection:
        rows = (await connection.execute(ours)).mappings().all()
    for invoice in rows if row["mode"] == PlatformMode.INVOICES else ():
        await _verify_invoice(database, adapter, tenant_id, invoice, now)


async def _verify_invoice(
    database: Database, adapter: Adapter, tenant_id: str, invoice: RowMapping, now: datetime
) -> None:
    platform = adapter.name
    if invoice["remote_id"] is not None and invoice["state"] not in {"waiting", "refused"}:
        try:
            remote = await adapter.read_invoice(invoice["remote_id"])
        except Refused as refusal:
            missing = Difference("gone_there", "issued", None, refusal.reason)
            async with database.begin() as connection:
                await record_drift(
                    connection, platform, tenant_id, "invoice", invoice["id"], [missing], now
                )
            return
        async with database.begin() as connection:
            # A webhook that never came is made up for: money is brought in here too
            fact = InvoiceMoved(invoice["id"], tenant_id, remote)
            await invoice_moved(connection, platform, fact, now)
        return
    differences = []
    if invoice["state"] == "refused":
        detail = f"{invoice['number']} was refused: {invoice['reason']}"
        differences.append(Difference("refused", "issued", None, detail))
    elif invoice["state"] != "confirmed" and now - invoice["issued_at"] > _GRACE:
        detail = f"{invoice['number']} was not sent" + (
            f": {invoice['reason']}" if invoice["reason"] else "."
        )
        differences.append(Difference("not_sent", "issued", None, detail))
    async with database.begin() as connection:
        await record_drift(
            connection, platform, tenant_id, "invoice", invoice["id"], differences, now
        )
