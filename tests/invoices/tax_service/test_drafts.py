"""Drafts, parts and invoices that the operator finalizes, with a tax service."""

from __future__ import annotations

import time
from decimal import Decimal

import pytest
from sqlalchemy import func, select
from starlette.responses import Response

from backend.customers.profiles import set_terms
from backend.invoices.drafts.previewing import NOT_KNOWN, TaxPreview
from backend.invoices.errors import TaxNotKnown
from backend.invoices.paper.as_pdf import invoice_pdf
from backend.invoices.queries import as_printed, read_invoices
from backend.invoices.runs.finalizing import finalize
from backend.invoices.taxing.answers import TaxAnswers, TaxQuestionOpen
from backend.invoices.taxing.service import tax_service
from backend.invoices.worker import bill_progress_of_all
from backend.settings import Settings
from backend.storage.database import Database
from backend.storage.tables import invoices
from backend_client.types.accounts import Tenant
from backend_client.types.invoices import BillingTerms
from tests.invoices.tax_service.acts import finalized, problems, the_draft
from tests.invoices.tax_service.replies import NOW, garbage, hangs, off_by, says
from tests.support.invoices import GRACE, MARCH, MAY, count, invoices_of, subscribed, used
from tests.support.tax_server import Asked, Reply, TaxServer, honest

pytestmark = pytest.mark.engine


async def test_a_draft_has_the_tax_that_the_service_says(
    database: Database, tenant: Tenant, settings: Settings, server: TaxServer
) -> None:
    async with tax_service(settings) as service:
        preview = TaxPreview(service)
        draft = await the_draft(database, settings, tenant, preview)
        assert [str(tax.amount.amount) for tax in draft.taxes] == ["1.94", "0.47"]
        assert (str(draft.total.amount), draft.tax_known, draft.tax_notes) == ("33.41", True, [])
        assert await the_draft(database, settings, tenant, preview) == draft
        assert [request.question.preview for request in server.asked] == [True]  # and kept
        await count(database, [used(tenant, MARCH, 10_000_000)])
        assert str((await the_draft(database, settings, tenant, preview)).total.amount) == "35.02"
    assert len(server.asked) == 2


@pytest.mark.parametrize("reply", [hangs, says(503), garbage, off_by("9")])
async def test_a_draft_is_read_while_the_service_is_away(
    database: Database, tenant: Tenant, settings: Settings, server: TaxServer, reply: Reply
) -> None:
    server.reply = reply
    async with tax_service(settings) as service:
        preview = TaxPreview(service)
        began = time.monotonic()
        draft = await the_draft(database, settings, tenant, preview)
        assert time.monotonic() - began < 15  # not the minute that an invoice may wait
        assert (draft.tax_known, draft.taxes, draft.tax_notes) == (False, [], [NOT_KNOWN])
        assert str(draft.total.amount) == "31.00"
        assert invoice_pdf(as_printed(draft)).startswith(b"%PDF")
        asked = len(server.asked)
        await the_draft(database, settings, tenant, preview)
        assert len(server.asked) == asked  # it is left alone for a while


async def test_finalizing_by_hand_waits_for_a_good_answer(
    database: Database, tenant: Tenant, settings: Settings, server: TaxServer
) -> None:
    async with tax_service(settings) as service:
        draft = await the_draft(database, settings, tenant, TaxPreview(None))
        assert not draft.tax_known
        server.reply = garbage
        for _ in range(2):
            with pytest.raises(TaxNotKnown, match="did not answer with JSON"):
                await finalized(database, settings, tenant, draft.id, TaxAnswers(service))
        assert await invoices_of(database, tenant) == []
        server.reply = honest
        again = [
            await finalized(database, settings, tenant, draft.id, TaxAnswers(service))
            for _ in range(2)
        ]
    assert again == [draft.id, draft.id]
    [invoice] = await invoices_of(database, tenant)
    assert str(invoice["total"]) == "33.41"
    # Whoever forgot to ask issues nothing
    page = await read_invoices(
        database, settings, TaxPreview(None), tenant.id, NOW, cursor=None, limit=1
    )
    async with database.begin() as connection:
        with pytest.raises(TaxQuestionOpen):
            await finalize(connection, settings, tenant.id, page.items[0].id, MAY)


async def test_a_part_waits_too_and_keeps_no_other_from_its_own(
    database: Database, tenant: Tenant, settings: Settings, server: TaxServer
) -> None:
    other = await subscribed(database)
    async with database.begin() as connection:
        for customer in (tenant, other):
            await set_terms(connection, customer.id, BillingTerms(progressive_threshold=Decimal(1)))

    async def only_to_the_other(asked: Asked) -> Response:
        return await (honest if asked.question.tenant == other.id else garbage)(asked)

    server.reply = only_to_the_other
    ids = await bill_progress_of_all(database, settings, MARCH + GRACE)
    assert [row["id"] for row in await invoices_of(database, other)] == ids
    assert ids == [
        request.body["id"] for request in server.asked if request.question.tenant == other.id
    ]
    assert await problems(database) == {tenant.slug: "The tax service did not answer with JSON."}
    server.reply = honest
    await bill_progress_of_all(database, settings, MARCH + GRACE)
    [part] = await invoices_of(database, tenant)
    assert (part["kind"], str(part["tax"])) == ("progressive", "2.41")
    assert await problems(database) == {}
    async with database.begin() as connection:
        assert await connection.scalar(select(func.count()).select_from(invoices)) == 2
