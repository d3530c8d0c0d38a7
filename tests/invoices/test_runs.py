"""The invoice run: once each, from the same rating as live spend, whatever is repeated."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from decimal import Decimal

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError

from backend.errors import Conflict, NotFound
from backend.invoices.drafts.billing_cursors import lock_cursors, open_cursors, unbilled
from backend.invoices.runs.finalizing import finalize
from backend.invoices.runs.runs import begin_run, bill_batch, end_run, work
from backend.invoices.taxing.answers import TaxAnswers
from backend.settings import Settings
from backend.storage.database import Database
from backend.storage.tables import billing_cursors, invoices
from backend_client.types.accounts import Tenant
from tests.support.invoices import (
    APRIL,
    GRACE,
    MARCH,
    MAY,
    count,
    invoices_of,
    lines_of_invoice,
    many_subscribed,
    run_invoices,
    subscribed,
    used,
)

pytestmark = pytest.mark.engine


async def test_a_period_is_invoiced_by_line_when_its_grace_is_over(
    database: Database, tenant: Tenant, settings: Settings
) -> None:
    await count(
        database,
        [
            used(tenant, MARCH + timedelta(days=3), 1_234_567),
            used(tenant, MARCH + timedelta(days=9), 1_600_000, "output_tokens"),
            used(tenant, APRIL, 1_000_000),  # of the next period
        ],
    )
    early = await run_invoices(database, settings, APRIL + GRACE - timedelta(seconds=1))
    assert (early.due, early.invoiced, early.state) == (0, 0, "finished")
    run = await run_invoices(database, settings, APRIL + GRACE)
    assert (run.due, run.invoiced, run.left, run.state) == (1, 1, 0, "finished")

    [invoice] = await invoices_of(database, tenant)
    assert invoice["number"] == f"FB-{tenant.slug}-000001"
    assert (invoice["state"], invoice["kind"]) == ("finalized", "period")
    assert (invoice["period_start"], invoice["period_end"]) == (MARCH, APRIL)
    assert (str(invoice["subtotal"]), str(invoice["total"])) == ("43.69", "43.69")
    assert invoice["due_at"] == APRIL + GRACE + timedelta(days=30)
    lines = await lines_of_invoice(database, tenant, invoice["id"])
    assert [(line["item"], str(line["amount"])) for line in lines] == [
        ("fee", "31.00"),
        ("input", "0.19"),
        ("output", "12.50"),
    ]
    # The arithmetic is kept as it was rated, tier by tier
    assert lines[1]["exact"] == Decimal("0.18518505")
    assert [(tier["quantity"], tier["amount"]) for tier in lines[2]["charge"]["tiers"]] == [
        ("1000000", "10"),
        ("500000", "2.5"),
    ]


async def test_running_again_makes_nothing_again(
    database: Database, tenant: Tenant, settings: Settings
) -> None:
    await count(database, [used(tenant, MARCH, 1_000_000)])
    for _ in range(3):
        await run_invoices(database, settings, APRIL + GRACE)
    assert len(await invoices_of(database, tenant)) == 1
    # The months after that follow, each once, and the numbers have no gap
    await run_invoices(database, settings, MAY + GRACE + timedelta(days=31))
    rows = await invoices_of(database, tenant)
    assert [row["number"][-6:] for row in rows] == ["000001", "000002", "000003"]
    assert [row["period_start"] for row in rows] == [MARCH, APRIL, MAY]


async def test_a_period_that_asks_for_nothing_is_closed_without_an_invoice(
    database: Database, settings: Settings
) -> None:
    free = await subscribed(database, "free")
    run = await run_invoices(database, settings, APRIL + GRACE)
    assert (run.invoiced, run.nothing_to_bill) == (0, 1)
    assert await invoices_of(database, free) == []
    async with database.begin() as connection:
        cursor = await unbilled(connection, free.id)
    assert cursor is not None
    assert cursor.period.start == APRIL


async def test_workers_share_a_run_and_bill_each_tenant_once(
    database: Database, settings: Settings
) -> None:
    tenants = await many_subscribed(database, 70)
    await count(database, [used(tenant, MARCH, 1_000_000) for tenant in tenants])
    run = await begin_run(database, settings, APRIL + GRACE)
    stop = asyncio.Event()
    await asyncio.gather(*(work(database, settings, run, stop) for _ in range(4)))
    run = await end_run(database, settings, run, APRIL + GRACE)
    assert (run.due, run.invoiced, run.failed) == (70, 70, 0)
    async with database.begin() as connection:
        counts = await connection.execute(
            select(func.count(), func.count(invoices.c.tenant_id.distinct()))
        )
        assert counts.one() == (70, 70)


async def test_a_run_that_broke_off_in_the_middle_is_taken_up(
    database: Database, settings: Settings
) -> None:
    for _ in range(30):
        await subscribed(database)
    run = await begin_run(database, settings, APRIL + GRACE)
    assert await bill_batch(database, settings, run, TaxAnswers()) == 25
    again = await begin_run(database, settings, APRIL + GRACE)
    assert (again.id, again.invoiced, again.left, again.due) == (run.id, 25, 5, 30)
    await work(database, settings, again, asyncio.Event())
    done = await end_run(database, settings, again, APRIL + GRACE)
    assert (done.invoiced, done.left, done.state) == (30, 0, "finished")


async def test_a_tenant_that_can_not_be_rated_keeps_no_other_from_its_invoice(
    database: Database, tenant: Tenant, settings: Settings
) -> None:
    broken = await subscribed(database)
    async with database.begin() as connection:
        await connection.execute(
            text("UPDATE tenants SET currency = 'XTS' WHERE id = :id"), {"id": broken.id}
        )
    run = await run_invoices(database, settings, APRIL + GRACE)
    assert (run.invoiced, run.failed, run.state) == (1, 1, "finished")
    assert await invoices_of(database, broken) == []
    async with database.begin() as connection:
        problem = select(billing_cursors.c.problem).where(billing_cursors.c.tenant_id == broken.id)
        assert "XTS" in str(await connection.scalar(problem))
        await connection.execute(text("UPDATE tenants SET currency = 'USD'"))
    # Put right, the next run bills it
    run = await run_invoices(database, settings, APRIL + GRACE + timedelta(hours=1))
    assert (run.invoiced, run.failed) == (1, 0)


async def test_a_tenant_that_is_held_is_passed_over(
    database: Database, tenant: Tenant, settings: Settings
) -> None:
    other = await subscribed(database)
    async with database.begin() as connection:
        await open_cursors(connection)
    async with database.begin() as holding:
        await lock_cursors(holding, [tenant.id])
        run = await run_invoices(database, settings, APRIL + GRACE)
        assert (run.invoiced, run.left, run.state) == (1, 1, "running")
        assert len(await invoices_of(database, other)) == 1
    run = await run_invoices(database, settings, APRIL + GRACE)
    assert (run.invoiced, run.left, run.state) == (2, 0, "finished")
    assert len(await invoices_of(database, tenant)) == 1


async def test_finalizing_twice_is_once(
    database: Database, tenant: Tenant, settings: Settings
) -> None:
    async with database.begin() as connection:
        cursor = await unbilled(connection, tenant.id)
        assert cursor is not None
        with pytest.raises(Conflict):
            await finalize(connection, settings, tenant.id, cursor.draft_id, APRIL - GRACE)

    async def once() -> str | None:
        async with database.begin() as connection:
            return await finalize(connection, settings, tenant.id, cursor.draft_id, APRIL)

    assert await asyncio.gather(*(once() for _ in range(4))) == [cursor.draft_id] * 4
    [invoice] = await invoices_of(database, tenant)
    assert invoice["id"] == cursor.draft_id
    async with database.begin() as connection:
        with pytest.raises(NotFound):
            await finalize(connection, settings, tenant.id, "inv_none", APRIL)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE invoices SET total = total + 1, subtotal = subtotal + 1",
        "UPDATE invoices SET number = 'FB-0'",
        "UPDATE invoices SET state = 'draft'",
        "UPDATE invoices SET customer = '{}'",
        "DELETE FROM invoices",
        "UPDATE invoice_lines SET amount = 0",
        "DELETE FROM invoice_lines",
        "INSERT INTO invoice_lines SELECT tenant_id, invoice_id, 99, kind, late, plan,"
        " plan_version, item, name, period_start, period_end, quantity, before, exact, 0, charge"
        " FROM invoice_lines WHERE line = 1",
        "UPDATE invoices SET paid = total + 1",
    ],
)
async def test_the_database_keeps_what_is_final(
    database: Database, tenant: Tenant, settings: Settings, change: str
) -> None:
    await run_invoices(database, settings, APRIL + GRACE)
    with pytest.raises(DBAPIError, match=r"can not be|not_overpaid"):
        async with database.begin() as connection:
            await connection.execute(text(change))


async def test_the_database_refuses_lines_that_do_not_add_up(
    database: Database, tenant: Tenant, settings: Settings
) -> None:
    await run_invoices(database, settings, APRIL + GRACE)
    copy = (
        "INSERT INTO invoices SELECT (made).* FROM (SELECT jsonb_populate_record(invoices,"
        ' \'{"id": "inv_x", "number": "FB-x", "state": "draft", "kind": "progressive"}\')'
        " AS made FROM invoices) AS copies"
    )
    async with database.begin() as connection:
        await connection.execute(text(copy.replace(":", "\\:")))
        with pytest.raises(DBAPIError, match="do not add up"):
            await connection.execute(
                text("UPDATE invoices SET state = 'finalized' WHERE id = 'inv_x'")
            )
        await connection.rollback()
