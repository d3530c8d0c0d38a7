"""How a change of usage changes the cost of its billing periods."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.accounts.tenants import find_tenant
from backend.metering.counting.batches import changes_by
from backend.metering.counting.preview import usage_changes
from backend.metering.ingest.acceptance import Batch
from backend.pricing.periods import BillingPeriod
from backend.spend.gathering import metered_period
from backend.storage.database import Database, driver_connection
from backend.storage.tables import invoices
from backend.subscriptions.periods import period_at
from backend_client.types.accounts import Tenant
from backend_client.types.common import Money
from backend_client.types.corrections import EventsPreview, SpendChange

_MOST_PERIODS = 24
"""Ingest accepts events little more than a year old."""


async def preview_of(database: Database, batch: Batch) -> EventsPreview:
    """Return what the accepted events of a batch would change. Nothing is stored."""
    spend: list[SpendChange] = []
    async with database.snapshot() as before, database.engine.connect() as after:
        deltas = await changes_by(await driver_connection(after), batch.accepted)
        changes = usage_changes(deltas)
        moments: dict[str, set[datetime]] = {}
        for key, _, _ in deltas:
            moments.setdefault(key[0], set()).add(key[1])
        for tenant_id, of_tenant in moments.items():
            tenant = await find_tenant(after, tenant_id)
            spend += await spend_changes(before, after, tenant, of_tenant)
        await after.rollback()
    return EventsPreview(verdict=batch.result(), changes=changes, spend=spend)


async def spend_changes(
    before: AsyncConnection, after: AsyncConnection, tenant: Tenant, moments: Iterable[datetime]
) -> list[SpendChange]:
    """Rate the billing periods that ``moments`` are in, before and after a change.

    ``before`` and ``after`` are connections; the transaction of ``after`` has made the change and
    not committed it. Invoiced periods are rated as they would be now: what was invoiced stays, and
    the next invoice bills the difference.
    """
    periods: dict[datetime, BillingPeriod] = {}
    for moment in sorted(set(moments)):
        if not any(period.start <= moment < period.end for period in periods.values()):
            holding = await period_at(after, tenant, moment)
            periods[holding.start] = holding
    changes = []
    for period in list(periods.values())[:_MOST_PERIODS]:
        totals = [
            (await metered_period(connection, tenant, period)).rate().total
            for connection in (before, after)
        ]
        old, new = (Money(amount=total, currency=tenant.currency) for total in totals)
        changes.append(
            SpendChange(
                start=period.start,
                end=period.end,
                before=old,
                after=new,
                invoices=await _invoices_of(before, tenant.id, period),
            )
        )
    return changes


async def _invoices_of(
    connection: AsyncConnection, tenant_id: str, period: BillingPeriod
) -> list[str]:
    """Return the numbers of a period's invoices, without voided ones."""
    numbers = await connection.scalars(
        select(invoices.c.number)
        .where(
            invoices.c.tenant_id == tenant_id,
            invoices.c.period_start >= period.start,
            invoices.c.period_end <= period.end,
            invoices.c.voided_at.is_(None),
        )
        .order_by(invoices.c.issued_at, invoices.c.id)
    )
    return list(numbers)
