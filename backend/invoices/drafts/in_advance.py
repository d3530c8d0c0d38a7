"""Fees that are invoiced as their period begins, and not when it closes."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from sqlalchemy import and_, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.accounts.clocks import acted_on
from backend.invoices.rules.lines import ComposedLine
from backend.pricing.money import ZERO, exact_arithmetic
from backend.pricing.periods import BillingPeriod
from backend.storage.tables import (
    billing_cursors,
    invoice_lines,
    invoices,
    plan_versions,
    subscriptions,
)
from backend.subscriptions.segments import OF_PLAN_VERSION
from backend_client.types.invoices import InvoiceKind


class FeesAhead(NamedTuple):
    """A running period of a tenant on terms with fees in advance: they are the same all through."""

    tenant_id: str
    period_start: datetime
    segment: str


async def fees_ahead(
    connection: AsyncConnection, now: datetime, *, only: str | None = None
) -> list[FeesAhead]:
    """Return the tenants that are on plans with fees in advance, and billed up to this period.

    Or ``only`` one tenant, also one on a test clock.
    """
    query = (
        select(subscriptions.c.tenant_id, billing_cursors.c.period_start, subscriptions.c.id)
        .join_from(subscriptions, plan_versions, OF_PLAN_VERSION)
        .join(billing_cursors, billing_cursors.c.tenant_id == subscriptions.c.tenant_id)
        .where(
            plan_versions.c.definition.contains({"charges": [{"in_advance": True}]}),
            subscriptions.c.start_at <= now,
            or_(subscriptions.c.end_at.is_(None), subscriptions.c.end_at > now),
            billing_cursors.c.period_start <= now,
            billing_cursors.c.period_end > now,
            acted_on(subscriptions.c.tenant_id, only),
        )
        .order_by(subscriptions.c.tenant_id)
    )
    return [FeesAhead(*row) for row in await connection.execute(query)]


async def unbilled_in_advance(
    connection: AsyncConnection,
    tenant_id: str,
    period: BillingPeriod,
    lines: Iterable[ComposedLine],
) -> Decimal:
    """Return what a running period's ``lines`` ask for in advance, less what was invoiced of it."""
    asked = [line.amount for line in lines if line.charge is not None and line.charge.in_advance]
    if not asked:
        return ZERO
    query = (
        select(func.sum(invoice_lines.c.amount))
        .join(
            invoices,
            and_(
                invoices.c.tenant_id == invoice_lines.c.tenant_id,
                invoices.c.id == invoice_lines.c.invoice_id,
            ),
        )
        .where(
            invoice_lines.c.tenant_id == tenant_id,
            invoice_lines.c.period_start == period.start,
            invoice_lines.c.charge["in_advance"].as_boolean(),
            invoices.c.kind == InvoiceKind.PROGRESSIVE.value,
            invoices.c.replaced_by.is_(None),
        )
    )
    before = await connection.scalar(query) or ZERO
    with exact_arithmetic():
        return sum(asked, ZERO) - before
