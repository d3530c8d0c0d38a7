"""The operator imports an export, and decides on a discrepancy in the portal."""

from __future__ import annotations

import json
import re

import pytest
from playwright.async_api import FilePayload, Page, expect

from backend_client import AsyncFareboxClient
from backend_client.types.accounts import ApiKeyCreate, LocalSessionCreate, Scope
from backend_client.types.events import UsageData, UsageEvent
from backend_client.types.reconciliation import ReconciliationOptions
from tests.journey.conftest import Farebox
from tests.journey.steps import open_usage
from tests.metering.reconciliation.exports import openai_usage
from tests.support.waiting import until

pytestmark = pytest.mark.browser


async def import_one(farebox: Farebox) -> None:
    """Import an export of another provider's; and have some usage, of a model without a rate."""
    async with AsyncFareboxClient(farebox.api_url) as anybody:
        secret = farebox.local_secret
        session = await anybody.sessions.create_local(LocalSessionCreate(secret=secret))
    async with AsyncFareboxClient(farebox.api_url, session.token) as client:
        content = json.dumps(openai_usage({})).encode()
        options = ReconciliationOptions(provider="openai")
        await client.reconciliations.create(content, options, name="usage.json")
        application = (await client.applications.list().all())[0]
        key = await client.keys.create(
            ApiKeyCreate(name="Ingest", application_id=application.id, scopes=[Scope.EVENTS_WRITE])
        )
        used = UsageData(application=application.id, model="unheard-of", quantities={"x": 7})
        async with AsyncFareboxClient(farebox.api_url, key.secret) as sender:
            await sender.events.send([UsageEvent(id="1", source="reconciliation", data=used)])

        async def metered() -> bool:
            report = await client.usage.report(model=["unheard-of"])
            return report is not None and bool(report.rows)

        await until(metered)


async def test_a_discrepancy_is_decided(farebox: Farebox, page: Page) -> None:
    await open_usage(page)
    await page.goto("/reconciliation/")
    await expect(page.get_by_text("No imports yet")).to_be_visible()

    await import_one(farebox)
    await page.reload()
    await expect(page.locator("#imports tbody tr")).to_contain_text("usage.json")
    rows = page.locator("#discrepancies tbody tr")
    await expect(rows).to_have_count(4)
    await expect(rows.first).to_contain_text("Missing events")

    await rows.first.get_by_role("button", name="Resolve").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_role("button", name="Save").click()
    await expect(dialog.get_by_role("alert")).to_contain_text("A note is needed")
    await dialog.get_by_label("Accepted").click()
    await dialog.get_by_label("Note").fill("Before this installation.")
    await dialog.get_by_role("button", name="Save").click()
    await expect(dialog).to_be_hidden()
    await expect(rows).to_have_count(3)

    await expect(page.locator("#margin")).to_contain_text("unheard-of")
    await expect(page.locator("#margin")).to_contain_text("rates unknown")
    await page.get_by_text("Open only").click()
    await expect(rows).to_have_count(4)
    await expect(page).to_have_url(re.compile(r"imported=rec_\w+&all=1$"))
    await page.reload()
    await expect(rows).to_have_count(4)
    await expect(page.locator("#discrepancies")).to_contain_text("Before this installation.")
    async with page.expect_download() as downloading:
        await page.get_by_role("link", name="CSV").click()
    download = await downloading.value
    assert download.suggested_filename == "discrepancies.csv"
    content = (await download.path()).read_text()
    assert len(content.splitlines()) == 5

    await page.get_by_role("button", name="Remove usage.json").click()
    question = page.get_by_role("alertdialog")
    await expect(question).to_contain_text("Remove usage.json?")
    await question.get_by_role("button", name="Cancel").click()
    await expect(page.locator("#imports tbody tr")).to_have_count(1)
    await page.get_by_role("button", name="Remove usage.json").click()
    await question.get_by_role("button", name="Remove the import").click()
    await expect(page.get_by_text("No imports yet")).to_be_visible()
    await expect(page.locator("#discrepancies")).to_be_hidden()


async def test_a_file_is_dropped_and_a_bad_one_is_refused_with_its_place(page: Page) -> None:
    await page.goto("/reconciliation/")
    bad = b"date,model,tokens\n2026-03-01,gpt,many\n"
    field = page.get_by_label("Invoice or usage export")
    await field.set_input_files(FilePayload(name="bad.csv", mimeType="text/csv", buffer=bad))
    await page.get_by_role("button", name="Import and compare").click()
    await expect(page.locator("#import-failed")).not_to_be_empty()
    await expect(page).to_have_url(re.compile("failed="))
    good = json.dumps(openai_usage({}), indent=1).encode()
    await page.get_by_label("Provider").fill("dropped")
    file = FilePayload(name="dropped.json", mimeType="application/json", buffer=good)
    await field.set_input_files(file)
    await page.get_by_role("button", name="Import and compare").click()
    await expect(page.locator("#imports tbody tr").first).to_contain_text("dropped.json")
    await expect(page.get_by_role("button", name="Show dropped.json")).to_have_attribute(
        "aria-pressed", "true"
    )
    await expect(page.locator("#import-failed")).to_be_empty()
