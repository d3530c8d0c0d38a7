"""A person opens last month's invoice, follows its lines, and downloads the page that was sent."""

from __future__ import annotations

import asyncio
import os
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import pypdfium2
import pytest
from playwright.async_api import Page, expect
from sqlalchemy import select

from backend.accounts.tenants import find_tenant
from backend.invoices.corrections.credit_notes import credit
from backend.metering.counting.daily import rebuild_days
from backend.pricing.periods import BillingPeriod, billing_period
from backend.settings import Settings
from backend.storage.database import Database
from backend.storage.tables import invoices, tenants
from backend_client.types.invoices import CreditNoteCreate
from tests.journey.conftest import Farebox
from tests.journey.steps import AGAIN_SECONDS, visit
from tests.support.waiting import until

pytestmark = pytest.mark.browser

NAME = "Sample: billed last month"
# A tenant of this machine's person, as if it had been a customer since last month
_MAKE = """
WITH made AS (
  INSERT INTO tenants (id, slug, name, is_sample)
  VALUES ('ten_billed', 'sample-billed', $2, true) RETURNING id
), joined AS (
  INSERT INTO members (tenant_id, user_id, role)
  SELECT made.id, user_id, 'owner' FROM made, members
  WHERE tenant_id = (SELECT id FROM tenants WHERE slug = 'local')
), subscribed AS (
  INSERT INTO subscriptions (tenant_id, id, plan_id, plan_version, start_at)
  SELECT made.id, 'sub_billed', plan_id, version, $1 FROM made, plan_versions
  WHERE plan_id = 'dear'
), counted AS (
  INSERT INTO events (tenant_id, source, id, time, received_at, application_id, key_id, model,
                      quantities, labels)
  SELECT id, 'sample', 'sample-answer', $1, $1, 'app_1', '', 'smollm2-135m-instruct',
         '{"output_tokens": "1500000"}', '{}' FROM made
)
INSERT INTO rollups
  (tenant_id, bucket, application_id, key_id, model, meter, quantity, event_count)
SELECT id, $1, 'app_1', '', 'smollm2-135m-instruct', 'output_tokens', 1500000, 1 FROM made
RETURNING tenant_id
"""


def last_month() -> BillingPeriod:
    now = datetime.now(UTC)
    # A month whose grace is over, also on the first of one
    running = billing_period(now - timedelta(days=5), "UTC")
    return billing_period(running.start - timedelta(days=1), "UTC")


async def billed_last_month(farebox: Farebox) -> None:
    """Let a tenant have used a million and a half tokens, and be invoiced."""
    period = last_month()
    database = await asyncpg.connect(farebox.database_url)
    tenant_id = await database.fetchval(_MAKE, period.start, NAME)
    await rebuild_days(database, tenant_id, period.start, period.end, repair=True)
    await database.close()
    process = await asyncio.create_subprocess_exec(
        Path(sys.executable).with_name("farebox"),
        *("invoices", "run"),
        env=os.environ | {"FAREBOX_HOME": str(farebox.home)},
        cwd=farebox.home,
    )
    assert await process.wait() == 0


async def credited(farebox: Farebox) -> None:
    """Credit what the tenant was invoiced."""
    database = Database(farebox.database_url, pool_size=1)
    async with database.begin() as connection:
        query = select(tenants.c.id).where(tenants.c.slug == "sample-billed")
        tenant = await find_tenant(connection, str(await connection.scalar(query)))
        of = select(invoices.c.id).where(invoices.c.tenant_id == tenant.id)
        invoice_id = str(await connection.scalar(of))
        wanted = CreditNoteCreate(reason="An hour without service")
        await credit(connection, Settings(), tenant, invoice_id, wanted, datetime.now(UTC))
    await database.close()


async def test_an_invoice_is_opened_and_downloaded(farebox: Farebox, page: Page) -> None:
    await billed_last_month(farebox)
    choice = page.get_by_role("button", name=NAME)

    async def offered() -> bool:
        # The portal asks the API who a session is every few seconds
        await page.goto("/")
        await page.get_by_role("button", name="Switch organization").click()
        await expect(page.get_by_role("dialog").get_by_role("button").first).to_be_visible()
        return await choice.count() > 0

    await until(offered, pause=AGAIN_SECONDS)
    await choice.click()
    await visit(page, "Invoices")
    rows = page.locator("#invoices tbody tr")
    await expect(rows).to_have_count(2)
    await expect(rows.first).to_contain_text("Next invoice")
    await expect(rows.first).to_contain_text("Draft")
    sent = rows.last
    await expect(sent).to_contain_text("FB-sample-billed-000001")
    await expect(sent).to_contain_text("To pay")

    async with page.expect_download() as download:
        await sent.get_by_role("link", name="FB-sample-billed-000001 as PDF").click()
    file = await download.value
    assert file.suggested_filename == "FB-sample-billed-000001.pdf"
    with closing(pypdfium2.PdfDocument(await file.path())) as printed:
        words = printed[0].get_textpage().get_text_bounded()
    total = await sent.get_by_role("cell").nth(3).inner_text()
    assert f"{total.removeprefix('$')} USD" in words

    await sent.get_by_role("button", name="Open FB-sample-billed-000001").click()
    invoice = page.locator("#invoice")
    await expect(invoice).to_contain_text("is due on")
    await expect(invoice.locator("#invoice-lines")).to_contain_text("1,500,000")
    await expect(invoice.locator("#invoice-lines tr").last).to_contain_text(total)

    # What made the line, event by event
    await invoice.get_by_role("button", name="Events behind").first.click()
    behind = page.get_by_role("dialog")
    event = behind.locator("#line-events tbody tr")
    await expect(event).to_have_count(1)
    await expect(event).to_contain_text("sample-answer")
    await expect(event).to_contain_text("1,500,000 output tokens")
    await page.keyboard.press("Escape")
    await expect(behind).to_have_count(0)
    await invoice.get_by_role("button", name="All invoices").click()
    await expect(rows).to_have_count(2)

    # A credit note is a document of its own, below the invoices
    note = page.locator("#credit-notes tbody tr")
    await expect(note).to_have_count(0)
    await credited(farebox)
    await page.reload()
    await expect(note).to_have_count(1)
    await expect(note).to_contain_text("of FB-sample-billed-000001")
    await expect(note).to_contain_text("An hour without service")
    async with page.expect_download() as download:
        await note.get_by_role("link", name="FB-sample-billed-CN-000001 as PDF").click()
    file = await download.value
    assert file.suggested_filename == "FB-sample-billed-CN-000001.pdf"

    # The operator sees the run that made it
    await visit(page, "Operations")
    run = page.locator("#invoice-runs tbody tr").first
    await expect(run).to_contain_text("Finished")
    await expect(run).to_contain_text(" invoiced")
    await expect(run.get_by_role("progressbar")).to_have_attribute("aria-valuenow", "100")
