"""Tenants whose subscription has ended in a period that still runs: their last invoice is due."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Text, bindparam, text
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.settings import Settings

_LEFT = text(
    """
    SELECT DISTINCT ended.tenant_id FROM subscriptions AS ended
    JOIN billing_cursors AS cursor ON cursor.tenant_id = ended.tenant_id
    WHERE ended.end_at <= :ended_by AND ended.end_at > cursor.period_start
        AND cursor.period_start <= :now AND cursor.period_end > :now
        AND CASE WHEN CAST(:only AS text) IS NULL
            THEN ended.tenant_id NOT IN (SELECT tenant_id FROM test_clocks)
            ELSE ended.tenant_id = :only END
        AND NOT EXISTS (
            SELECT FROM subscriptions AS later WHERE later.tenant_id = ended.tenant_id
                AND (later.end_at IS NULL OR later.end_at > ended.end_at)
        ) AND NOT EXISTS (
            SELECT FROM contracts WHERE contracts.tenant_id = ended.tenant_id
        ) AND NOT EXISTS (
            SELECT FROM invoices WHERE invoices.tenant_id = ended.tenant_id
                AND invoices.period_start = cursor.period_start
                AND invoices.kind = 'progressive'
                AND invoices.issued_at >= ended.end_at + :grace
        )
    """
).bindparams(bindparam("only", type_=Text))
"""What a contract adds is known when the period ends, and what came after the last invoice waits
until then."""


async def tenants_that_left(
    connection: AsyncConnection, settings: Settings, now: datetime, tenant_id: str | None = None
) -> list[str]:
    """Return whose subscription ended a grace ago or more, and was not invoiced since.

    Only those whose period still runs, and with ``tenant_id`` only that tenant, which may be on a
    test clock.
    """
    grace = timedelta(hours=settings.invoice_grace_hours)
    values = {"now": now, "ended_by": now - grace, "grace": grace, "only": tenant_id}
    return list(await connection.scalars(_LEFT, values))
