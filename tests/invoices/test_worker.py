"""The worker's pass: closes what is due, bills parts, reminds; any number of workers at once."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from decimal import Decimal

import pytest
from sqlalchemy import func, select, text

from backend.catalog.published import apply_catalog
from backend.customers.profiles import set_terms
from backend.invoices.runs.finalizing import bill_progress
from backend.invoices.worker import InvoicesWorker, bill_progress_of_all
from backend.settings import Settings
from backend.storage.database import Database
from backend.storage.tables import invoice_reminders, invoice_runs, invoices
from backend_client.types.accounts import Tenant
from backend_client.types.invoices import BillingTerms
from tests.support.billing import catalog_with
from tests.support.invoices import APRIL, GRACE, MARCH, count, invoices_of, subscribed, used
from tests.support.waiting import until

pytestmark = pytest.mark.engine


async def rows(database: Database, table: object) -> int:
    async with database.begin() as connection:
        return int(await connection.scalar(select(func.count()).select_from(table)) or 0)


async def test_workers_that_meet_do_each_thing_once(
    database: Database, tenant: Tenant, settings: Settings
) -> None:
    other = await subscribed(database)
    workers = [InvoicesWorker(database, settings) for _ in range(3)]
    stop = asyncio.Event()
    late = APRIL + GRACE + timedelta(days=32)  # April is over too, but not its grace
    for now in (APRIL + GRACE, APRIL + GRACE, late):
        await asyncio.gather(*(worker.keep_invoices(now, stop) for worker in workers))
    assert len(await invoices_of(database, tenant)) == 2
    assert len(await invoices_of(database, other)) == 2
    assert await rows(database, invoice_reminders) == 2


async def test_nothing_due_is_no_run(
    database: Database, tenant: Tenant, settings: Settings
) -> None:
    await InvoicesWorker(database, settings).keep_invoices(APRIL, asyncio.Event())
    assert await rows(database, invoice_runs) == 0


async def test_what_failed_is_tried_again_each_hour(
    database: Database, tenant: Tenant, settings: Settings
) -> None:
    async with database.begin() as connection:
        await connection.execute(text("UPDATE tenants SET currency = 'XTS'"))
    worker = InvoicesWorker(database, settings)
    for minutes in (0, 1, 59, 60):
        await worker.keep_invoices(APRIL + GRACE + timedelta(minutes=minutes), asyncio.Event())
    assert await rows(database, invoice_runs) == 2


async def test_only_who_agreed_is_billed_in_part(
    database: Database, tenant: Tenant, settings: Settings
) -> None:
    other = await subscribed(database)
    await count(database, [used(customer, MARCH, 1_000_000_000) for customer in (tenant, other)])
    async with database.begin() as connection:
        terms = BillingTerms(progressive_threshold=Decimal(100))
        await set_terms(connection, tenant.id, terms)
    ids = await bill_progress_of_all(database, settings, MARCH + timedelta(days=1))
    assert [row["id"] for row in await invoices_of(database, tenant)] == ids
    assert await invoices_of(database, other) == []


async def test_a_part_leaves_out_what_is_missing_to_a_minimum(
    database: Database, tenant: Tenant, settings: Settings
) -> None:
    """Nobody knows before the period's end what is missing; fees and usage are asked for."""
    catalog = catalog_with()
    (paid,) = (plan for plan in catalog.plans if plan.id == "paid")
    dear = paid.model_copy(update={"minimum": Decimal(500)})
    others = [plan for plan in catalog.plans if plan.id != "paid"]
    async with database.begin() as connection:
        await apply_catalog(connection, catalog.model_copy(update={"plans": [*others, dear]}))
    customer = await subscribed(database)
    async with database.begin() as connection:
        await set_terms(connection, customer.id, BillingTerms(progressive_threshold=Decimal(15)))
        part = await bill_progress(connection, settings, customer.id, MARCH + timedelta(days=1))
    (row,) = await invoices_of(database, customer)
    assert (row["id"], row["subtotal"]) == (part, 31)
    await InvoicesWorker(database, settings).keep_invoices(APRIL + GRACE, asyncio.Event())
    parts = {row["kind"]: row["subtotal"] for row in await invoices_of(database, customer)}
    assert parts == {"progressive": 31, "period": 500 - 31}


async def test_it_works_until_it_is_stopped(
    database: Database, tenant: Tenant, settings: Settings
) -> None:
    """Against the real clock: March of the test's year is long over."""
    stop = asyncio.Event()
    task = asyncio.create_task(InvoicesWorker(database, settings).run(stop))

    async def invoiced() -> bool:
        return await rows(database, invoices) > 0

    await until(invoiced)
    stop.set()
    async with asyncio.timeout(60):
        await task
