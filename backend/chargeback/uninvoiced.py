"""Periods that closed without an invoice: what departments bear, though nothing was asked for.

A period on trial, or one whose calls credit paid as they were made, adds up to nothing and takes no
number. Its costs and what pays them are divided all the same, as they were while the period ran.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import and_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.chargeback.from_rows import draft_document
from backend.chargeback.rules.documents import CostDocument
from backend.invoices.drafts.drafting import period_lines
from backend.invoices.rules.lines import total_of
from backend.pricing.periods import BillingPeriod
from backend.storage.tables import invoice_lines, invoices
from backend_client.types.accounts import Tenant
from backend_client.types.invoices import InvoiceKind


def uninvoiced_id(start: datetime) -> str:
    """Return the id of a period's document in place of an invoice."""
    return f"uninvoiced {int(start.timestamp())}"


async def uninvoiced_document(
    connection: AsyncConnection, tenant: Tenant, period: BillingPeriod
) -> CostDocument | None:
    """Return what a period without an invoice is divided from; None if there is nothing.

    What it asks for by now, because of late usage, is in the next invoice.
    """
    if await invoiced_starts(connection, tenant.id, [period.start]):
        return None
    lines = await period_lines(connection, tenant, period, plain=False)
    if not lines or total_of(lines):
        return None
    return draft_document(uninvoiced_id(period.start), period, lines)


async def invoiced_starts(
    connection: AsyncConnection, tenant_id: str, starts: Collection[datetime]
) -> set[datetime]:
    """Return which periods, by their starts, an invoice has lines about, as late ones too."""
    query = (
        select(invoice_lines.c.period_start)
        .join(
            invoices,
            and_(
                invoices.c.tenant_id == invoice_lines.c.tenant_id,
                invoices.c.id == invoice_lines.c.invoice_id,
            ),
        )
        .where(
            invoice_lines.c.tenant_id == tenant_id,
            invoice_lines.c.period_start.in_(starts),
            invoices.c.kind == InvoiceKind.PERIOD.value,
        )
        .distinct()
    )
    return set(await connection.scalars(query))
