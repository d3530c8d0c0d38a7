"""Tenants on a plan, their usage as the worker counts it, and the invoice run over them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from sqlalchemy import insert, select

from backend.ids import new_id
from backend.invoices.runs.runs import begin_run, end_run, work
from backend.metering.counting.batches import count_events
from backend.metering.events import AcceptedEvent
from backend.settings import Settings
from backend.storage.database import Database
from backend.storage.tables import invoice_lines, invoices, metadata, tenants
from backend.subscriptions.changes import start_subscription
from backend_client.types.accounts import Tenant
from backend_client.types.invoices import InvoiceRun
from tests.support.billing import make_tenant

MARCH = datetime(2026, 3, 1, tzinfo=UTC)
APRIL = datetime(2026, 4, 1, tzinfo=UTC)
MAY = datetime(2026, 5, 1, tzinfo=UTC)
GRACE = timedelta(hours=24)


async def subscribed(
    database: Database, plan: str = "paid", since: datetime = MARCH, **changes: object
) -> Tenant:
    tenant = await make_tenant(database, **changes)
    async with database.begin() as connection:
        await start_subscription(connection, tenant.id, plan, since)
    return tenant


async def many_subscribed(database: Database, number: int) -> list[Tenant]:
    """So many tenants on the plan "paid": one that subscribes, and copies of all it wrote."""
    first = await subscribed(database)
    names = [new_id("ten") for _ in range(number - 1)]
    others = [
        first.model_copy(update={"id": name, "slug": name.replace("_", "-")}) for name in names
    ]
    async with database.begin() as connection:
        await connection.execute(insert(tenants), [other.model_dump() for other in others])
        for table in metadata.sorted_tables:
            if "tenant_id" in table.c:
                of_first = select(table).where(table.c.tenant_id == first.id)
                rows = (await connection.execute(of_first)).mappings().all()
                copies = [dict(row) | {"tenant_id": name} for name in names for row in rows]
                if copies:
                    await connection.execute(insert(table), copies)
    return [first, *others]


def used(
    tenant: Tenant, at: datetime, quantity: str | int | Decimal, meter: str = "input_tokens"
) -> AcceptedEvent:
    """An event of the model "large", as ingest lets it in."""
    return AcceptedEvent(
        tenant_id=tenant.id,
        source="test",
        id=new_id("evt"),
        time=at,
        received_at=at,
        application_id="app_1",
        model="large",
        quantities={meter: Decimal(quantity)},
    )


async def count(database: Database, events: Sequence[AcceptedEvent]) -> None:
    async with database.raw() as connection:
        await count_events(connection, events)


async def run_invoices(database: Database, settings: Settings, as_of: datetime) -> InvoiceRun:
    run = await begin_run(database, settings, as_of)
    await work(database, settings, run, asyncio.Event())
    return await end_run(database, settings, run, as_of)


async def invoices_of(database: Database, tenant: Tenant) -> list[dict[str, object]]:
    query = select(invoices).where(invoices.c.tenant_id == tenant.id).order_by(invoices.c.number)
    async with database.begin() as connection:
        return [dict(row) for row in (await connection.execute(query)).mappings()]


async def lines_of_invoice(
    database: Database, tenant: Tenant, invoice_id: object
) -> list[dict[str, object]]:
    query = (
        select(invoice_lines)
        .where(invoice_lines.c.tenant_id == tenant.id, invoice_lines.c.invoice_id == invoice_id)
        .order_by(invoice_lines.c.line)
    )
    async with database.begin() as connection:
        return [dict(row) for row in (await connection.execute(query)).mappings()]
