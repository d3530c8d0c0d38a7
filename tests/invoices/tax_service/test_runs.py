"""A tax service over HTTP: asked before invoices are issued, and never issued without it."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from datetime import timedelta
from decimal import Decimal
from typing import Any

import asyncpg
import pytest
from sqlalchemy import select, text
from starlette.responses import Response

from backend.customers.profiles import set_details, set_terms
from backend.invoices.drafts.billing_cursors import lock_cursors, open_cursors
from backend.invoices.drafts.previewing import TaxPreview
from backend.invoices.runs.runs import begin_run, end_run, work
from backend.invoices.taxing.answers import CHANGED, TaxAnswers
from backend.invoices.taxing.service import HttpTaxService, tax_service
from backend.invoices.worker import bill_progress_of_all
from backend.settings import Settings
from backend.storage.database import Database
from backend.storage.tables import invoices
from backend_client.types.accounts import Tenant
from backend_client.types.invoices import BillingDetails, BillingTerms
from tests.invoices.tax_service.acts import finalized, impatient, problems, the_draft
from tests.invoices.tax_service.replies import (
    BOUND,
    NOW,
    deep,
    dribbles,
    elsewhere,
    endless,
    garbage,
    hangs,
    off_by,
    says,
)
from tests.support.invoices import (
    APRIL,
    GRACE,
    MARCH,
    count,
    invoices_of,
    many_subscribed,
    run_invoices,
    subscribed,
    used,
)
from tests.support.tax_server import Asked, Reply, TaxServer, honest

pytestmark = pytest.mark.engine


async def test_the_service_says_the_tax(
    database: Database, tenant: Tenant, settings: Settings, server: TaxServer
) -> None:
    async with database.begin() as connection:
        details = BillingDetails(country="US", region="TX", address=["1 Street"], tax_id="7")
        await set_details(connection, tenant.id, details)
    await count(database, [used(tenant, MARCH, 1_234_567)])
    run = await run_invoices(database, settings, NOW)
    assert (run.invoiced, run.failed, run.left) == (1, 0, 0)

    [invoice] = await invoices_of(database, tenant)
    rows: Any = invoice["taxes"]
    taxes = [(tax["name"], tax["amount"]["amount"]) for tax in rows]
    assert taxes == [("State tax", "1.95"), ("City tax", "0.47")]
    assert str(invoice["total"]) == "33.61"
    [asked] = server.asked
    assert asked.authorization == "Bearer a secret"
    assert asked.key.startswith(f"{invoice['id']}-")
    assert asked.body["id"] == invoice["id"]
    assert asked.body["customer"]["region"] == "TX"
    assert (asked.body["tax_date"], asked.body["subtotal"]) == ("2026-03-31", "31.19")
    assert [line["amount"] for line in asked.body["lines"]] == ["31.00", "0.19"]
    await run_invoices(database, settings, NOW)
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("reply", "times", "why"),
    [
        (hangs, 3, f"did not answer in {BOUND:g} s, 3 times in a row"),
        (dribbles, 3, f"did not answer in {BOUND:g} s, 3 times in a row"),
        (says(503), 3, "answered 503, 3 times in a row"),
        (says(500), 3, "answered 500, 3 times in a row"),
        (says(401), 1, "refused the question: it answered 401"),
        (says(202), 1, "refused the question: it answered 202"),
        (elsewhere, 1, "refused the question: it answered 307"),
        (garbage, 1, "did not answer with JSON"),
        (deep, 1, "did not answer with JSON"),
        (endless, 1, "is too long"),
        (says(taxes=None), 1, "of another form: taxes: Input should be a valid list"),
        (says(taxes=[{"name": "VAT"}]), 1, "of another form: taxes.0.percent: Field required"),
        (says(total="0.00"), 1, "can't be right: the total is 0, but"),
        (off_by("0.02"), 1, "can't be right: State tax: 1.96 is not 6.25% of 31"),
        (off_by("0.001"), 1, "has more than the 2 decimals of USD"),
        (off_by("-5"), 1, "is not of the sign of the subtotal"),
        (off_by("0.01", "taxable"), 1, "more than the subtotal 31"),
    ],
)
async def test_no_good_answer_is_no_invoice_and_keeps_no_other_from_its_own(
    database: Database,
    tenant: Tenant,
    settings: Settings,
    server: TaxServer,
    reply: Reply,
    times: int,
    why: str,
) -> None:
    other = await subscribed(database)

    async def only_to_the_other(asked: Asked) -> Response:
        return await (honest if asked.question.tenant == other.id else reply)(asked)

    server.reply = only_to_the_other
    run = await run_invoices(database, impatient(settings), NOW)
    assert (run.invoiced, run.failed, run.left, run.state) == (1, 1, 0, "finished")
    assert await invoices_of(database, tenant) == []
    assert len(await invoices_of(database, other)) == 1
    problem = await problems(database)
    assert problem.keys() == {tenant.slug}
    assert why in problem[tenant.slug]
    asked = [request for request in server.asked if request.question.tenant == tenant.id]
    assert len(asked) == times
    assert len({request.key for request in asked}) == 1  # the same question again

    server.reply = honest
    run = await run_invoices(database, settings, NOW + timedelta(hours=1))
    assert (run.invoiced, run.failed) == (1, 0)
    [invoice] = await invoices_of(database, tenant)
    assert str(invoice["total"]) == "33.41"
    assert await problems(database) == {}


async def test_a_service_that_is_not_there(
    database: Database, tenant: Tenant, settings: Settings
) -> None:
    nowhere = settings.model_copy(update={"tax_service_url": "http://127.0.0.1:1/tax"})
    run = await run_invoices(database, nowhere, NOW)
    assert (run.invoiced, run.failed) == (0, 1)
    assert "can't be reached (ConnectError)" in (await problems(database))[tenant.slug]


async def test_a_failure_that_passes_is_tried_again(
    database: Database, tenant: Tenant, settings: Settings, server: TaxServer
) -> None:
    replies = iter([hangs, says(429), honest])

    async def in_turn(asked: Asked) -> Response:
        return await next(replies)(asked)

    server.reply = in_turn
    run = await run_invoices(database, impatient(settings), NOW)
    assert (run.invoiced, run.failed, len(server.asked)) == (1, 0, 3)
    assert len({request.key for request in server.asked}) == 1


async def test_nothing_is_locked_and_no_transaction_is_open_while_it_is_asked(
    database: Database, database_url: str, tenant: Tenant, settings: Settings, server: TaxServer
) -> None:
    open_ones: list[int] = []

    async def looks(asked: Asked) -> Response:
        connection = await asyncpg.connect(database_url)
        try:
            # Would raise if anybody held a row
            await connection.execute("SELECT 1 FROM billing_cursors FOR UPDATE NOWAIT")
            open_ones.append(
                await connection.fetchval(
                    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                    " AND pid <> pg_backend_pid() AND state LIKE '%in transaction%'"
                )
            )
        finally:
            await connection.close()
        return await honest(asked)

    server.reply = looks
    run = await run_invoices(database, settings, NOW)
    assert (run.invoiced, open_ones) == (1, [0])
    # Nor where the operator finalizes, a part is billed, or a draft is read
    async with database.begin() as connection:
        terms = BillingTerms(progressive_threshold=Decimal(1))
        await set_terms(connection, tenant.id, terms)
    assert len(await bill_progress_of_all(database, settings, APRIL + GRACE)) == 1
    await count(database, [used(tenant, APRIL, 10_000_000)])
    async with tax_service(settings) as service:
        draft = await the_draft(database, settings, tenant, TaxPreview(service))
        assert await finalized(database, settings, tenant, draft.id, TaxAnswers(service))
    assert open_ones == [0] * 4


async def test_what_was_asked_about_is_what_is_issued(
    database: Database, tenant: Tenant, settings: Settings, server: TaxServer
) -> None:
    """Usage comes while the service thinks: it is asked again, about all of it."""

    async def slowly(asked: Asked) -> Response:
        if len(server.asked) == 1:
            await count(database_of_thread, [used(tenant, MARCH, 10_000_000)])
        return await honest(asked)

    database_of_thread = Database(database.url, pool_size=1)
    server.reply = slowly
    run = await run_invoices(database, settings, NOW)
    assert (run.invoiced, run.failed) == (1, 0)
    [invoice] = await invoices_of(database, tenant)
    assert (str(invoice["subtotal"]), str(invoice["tax"])) == ("32.50", "2.52")
    first, second = server.asked
    assert (first.body["id"], first.key) != (second.body["id"], second.key)
    assert first.body["id"] == second.body["id"] == invoice["id"]
    assert [request.body["subtotal"] for request in server.asked] == ["31.00", "32.50"]
    await database_of_thread.close()


async def test_what_changes_each_time_is_left_for_later(
    database: Database, tenant: Tenant, settings: Settings, server: TaxServer
) -> None:
    other = await subscribed(database)
    database_of_thread = Database(database.url, pool_size=1)

    async def meanwhile(asked: Asked) -> Response:
        if asked.question.tenant == tenant.id:
            await count(database_of_thread, [used(tenant, MARCH, 10_000_000)])
        return await honest(asked)

    server.reply = meanwhile
    run = await run_invoices(database, settings, NOW)
    assert (run.invoiced, run.failed, run.left) == (1, 1, 0)
    assert len(await invoices_of(database, other)) == 1
    assert await problems(database) == {tenant.slug: CHANGED}
    assert sum(request.question.tenant == tenant.id for request in server.asked) == 3
    await database_of_thread.close()


async def test_an_agreement_that_comes_meanwhile_holds(
    database: Database, tenant: Tenant, settings: Settings, server: TaxServer
) -> None:
    database_of_thread = Database(database.url, pool_size=1)

    async def meanwhile(asked: Asked) -> Response:
        async with database_of_thread.begin() as connection:
            terms = BillingTerms(tax_exemption="Certificate 12")
            await set_terms(connection, tenant.id, terms)
        return await honest(asked)

    server.reply = meanwhile
    await run_invoices(database, settings, NOW)
    [invoice] = await invoices_of(database, tenant)
    assert (invoice["taxes"], invoice["tax_notes"]) == ([], ["Exempt from tax: Certificate 12"])
    await database_of_thread.close()


async def test_who_is_exempt_or_agreed_or_asked_for_nothing_is_not_asked_about(
    database: Database, tenant: Tenant, settings: Settings, server: TaxServer
) -> None:
    agreed, _free = await subscribed(database), await subscribed(database, "free")
    async with database.begin() as connection:
        await set_terms(connection, tenant.id, BillingTerms(tax_exemption="Certificate 12"))
        await set_terms(connection, agreed.id, BillingTerms(tax_percent=Decimal(10)))
    run = await run_invoices(database, settings, NOW)
    assert (run.invoiced, run.nothing_to_bill, run.failed) == (2, 1, 0)
    assert server.asked == []
    [invoice] = await invoices_of(database, agreed)
    assert str(invoice["total"]) == "34.10"


async def test_workers_share_a_run_and_bill_each_tenant_once(
    database: Database, settings: Settings, server: TaxServer
) -> None:
    tenants = await many_subscribed(database, 70)
    run = await begin_run(database, settings, NOW)
    stop = asyncio.Event()
    await asyncio.gather(*(work(database, settings, run, stop) for _ in range(3)))
    run = await end_run(database, settings, run, NOW)
    assert (run.due, run.invoiced, run.failed) == (70, 70, 0)
    async with database.begin() as connection:
        totals = Counter(await connection.scalars(select(invoices.c.total)))
    assert totals == {Decimal("33.41"): 70}
    assert {request.question.tenant for request in server.asked} == {
        tenant.id for tenant in tenants
    }


async def test_who_is_held_or_can_not_be_rated_is_passed_over_as_without_a_service(
    database: Database, tenant: Tenant, settings: Settings, server: TaxServer
) -> None:
    broken, held = await subscribed(database), await subscribed(database)
    async with database.begin() as connection:
        await open_cursors(connection)
        await connection.execute(
            text("UPDATE tenants SET currency = 'XTS' WHERE id = :id"), {"id": broken.id}
        )
    async with database.begin() as holding:
        await lock_cursors(holding, [held.id])
        run = await run_invoices(database, settings, NOW)
    assert (run.invoiced, run.failed, run.left, run.state) == (1, 1, 1, "running")
    assert "XTS" in (await problems(database))[broken.slug]
    assert [request.question.tenant for request in server.asked] == [tenant.id]
    run = await run_invoices(database, settings, NOW)
    assert (run.invoiced, run.failed, run.left, run.state) == (2, 1, 0, "finished")
    assert len(await invoices_of(database, held)) == 1


async def test_a_run_does_not_wait_for_each_tenant_while_the_service_is_away(
    database: Database, settings: Settings, server: TaxServer
) -> None:
    for _ in range(60):
        await subscribed(database)
    server.reply = hangs
    began = time.monotonic()
    run = await run_invoices(database, impatient(settings), NOW)
    assert (run.invoiced, run.failed, run.state) == (0, 60, "finished")
    # What was under way when it counted as away, three times each; nobody asks for the others
    assert len(server.asked) <= 3 * (8 + 4)
    assert time.monotonic() - began < 60
    assert len(await problems(database)) == 60


async def test_the_token_is_in_no_reason_and_no_text(settings: Settings) -> None:
    service = HttpTaxService("http://127.0.0.1:1/tax", "a secret", BOUND)
    assert "a secret" not in repr(service) + repr(settings) + str(settings)
    await service.close()
