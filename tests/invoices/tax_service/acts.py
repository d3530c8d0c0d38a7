"""What tests of the tax service do and look at."""

from __future__ import annotations

from backend.invoices.drafts.billing_cursors import left_out
from backend.invoices.drafts.previewing import TaxPreview
from backend.invoices.queries import read_invoice, read_invoices
from backend.invoices.runs.finalizing import finalize
from backend.invoices.taxing.answers import TaxAnswers, with_answers
from backend.settings import Settings
from backend.storage.database import Database
from backend_client.types.accounts import Tenant
from backend_client.types.invoices import Invoice
from tests.invoices.tax_service.replies import BOUND, NOW
from tests.support.invoices import MAY


def impatient(settings: Settings) -> Settings:
    return settings.model_copy(update={"tax_service_timeout_seconds": BOUND})


async def problems(database: Database) -> dict[str, str]:
    async with database.begin() as connection:
        return {tenant.slug: tenant.problem for tenant in await left_out(connection)}


async def the_draft(
    database: Database, settings: Settings, tenant: Tenant, preview: TaxPreview
) -> Invoice:
    page = await read_invoices(database, settings, preview, tenant.id, NOW, cursor=None, limit=5)
    draft = await read_invoice(database, settings, preview, tenant.id, page.items[0].id, NOW)
    assert (draft.total, draft.tax_known) == (page.items[0].total, page.items[0].tax_known)
    return draft


async def finalized(
    database: Database, settings: Settings, tenant: Tenant, draft_id: str, answers: TaxAnswers
) -> str | None:
    async def once() -> str | None:
        async with database.begin() as connection:
            return await finalize(connection, settings, tenant.id, draft_id, MAY, answers)

    return await with_answers(answers, once)
