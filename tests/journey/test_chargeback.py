"""A person divides the last month over departments, sees it, and closes it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace
from playwright.async_api import Locator, Page, expect
from sqlalchemy import delete, insert

from backend.pricing.periods import billing_period
from backend.settings import Settings
from backend.storage.database import Database
from backend.storage.tables import applications, members, tenants
from backend.subscriptions.changes import start_subscription
from backend_client.types.accounts import Role, Tenant
from tests.journey.conftest import Farebox, person_at
from tests.journey.steps import visit
from tests.journey.test_tenants import switch_to
from tests.support.billing import make_tenant
from tests.support.invoices import count, run_invoices, used

pytestmark = [pytest.mark.browser, pytest.mark.timeout(900)]

NOW = datetime.now(UTC)
THIS = billing_period(NOW, "UTC")
LAST = billing_period(THIS.start - timedelta(days=1), "UTC")
NAME = "Sample: with departments"
PHONE = {"width": 390, "height": 844}


@pytest.fixture
async def invoiced(farebox: Farebox) -> AsyncIterator[Tenant]:
    """A second tenant of the person at this machine, whose last month is invoiced."""
    async with person_at(farebox) as person:
        user = (await person.me.get()).user_id
    database = Database(farebox.database_url)
    tenant = await make_tenant(database, name=NAME, slug="departments")
    async with database.begin() as connection:
        values = {"tenant_id": tenant.id, "user_id": user, "role": Role.BILLING}
        await connection.execute(insert(members).values(values))
        for name in ("search", "chat"):
            own = {"tenant_id": tenant.id, "id": name, "name": f"Sample {name}"}
            await connection.execute(insert(applications).values(own))
        await start_subscription(connection, tenant.id, "dear", LAST.start)
    event = used(tenant, LAST.start, 1_000_000, "output_tokens")
    model = "smollm2-135m-instruct"
    events = [
        replace(event, id=name, model=model, application_id=name) for name in ("search", "chat")
    ]
    await count(database, events)
    as_of = max(NOW, THIS.start + timedelta(days=1))
    await run_invoices(database, Settings(seller_name="Sample seller"), as_of)
    yield tenant
    async with database.begin() as connection:
        await connection.execute(delete(tenants).where(tenants.c.id == tenant.id))
    await database.close()


async def choose(form: Locator, label: str, option: str) -> None:
    await form.get_by_label(label, exact=True).click()
    await form.page.get_by_role("option", name=option).click()


async def add_unit(page: Page, button: str, name: str, code: str, **chosen: str) -> None:
    await page.get_by_role("button", name=button, exact=True).first.click()
    form = page.get_by_role("dialog")
    await form.get_by_label("Name").fill(name)
    await form.get_by_label("Code").fill(code)
    for label, option in chosen.items():
        await choose(form, label.replace("_", " "), option)
    await form.get_by_role("button", name="Add").click()
    await expect(form).to_be_hidden()


async def test_a_month_is_divided_and_closed(invoiced: Tenant, page: Page) -> None:
    await switch_to(page, NAME)
    await visit(page, "Chargeback")
    await expect(page.locator("#no-departments")).to_be_visible()
    await expect(page.locator("#statement")).to_contain_text("Unallocated")
    await expect(page.get_by_role("button", name="Close month")).to_be_hidden()

    start = "Add a department or cost center"
    await add_unit(page, start, "Engineering", "ENG", Kind="Department")
    await add_unit(page, "Add", "Search", "4711", Part_of="Engineering (ENG)")
    await add_unit(page, "Add", "Chat", "4712", Part_of="Engineering (ENG)")
    await page.get_by_role("button", name="Add a rule").first.click()
    form = page.get_by_role("dialog")
    await form.get_by_role("button", name="Add").click()
    await expect(form.get_by_role("alert").last).to_contain_text("name an application")
    await choose(form, "Application", "Sample search")
    await choose(form, "Cost center", "Search (4711)")
    await form.get_by_role("button", name="Add").click()
    await expect(page.locator("#rules")).to_contain_text("Application Sample search")

    await page.get_by_role("button", name="Change Chat").click()
    form = page.get_by_role("dialog")
    await expect(form.get_by_label("Code")).to_have_value("4712")
    await form.get_by_label("Name").fill("Conversation")
    await form.get_by_role("button", name="Change").click()
    await expect(form).to_be_hidden()
    await expect(page.locator("#units")).to_contain_text("Conversation")

    await page.get_by_role("button", name="Preview last month").click()
    preview = page.locator("#preview")
    await expect(preview).to_contain_text("Engineering")
    await expect(preview).to_contain_text("Unallocated")  # what chat used
    await expect(page.get_by_text("There are changes that are not saved yet.")).to_be_visible()
    await page.get_by_role("button", name="Save…").click()
    form = page.get_by_role("dialog")
    await form.get_by_role("button", name="Save").click()
    await expect(form.get_by_text("Choose the day")).to_be_visible()
    await form.get_by_label("From").fill(f"{LAST.start:%Y-%m-%d}")
    await form.get_by_role("button", name="Save").click()
    await expect(page.get_by_text("Saved. It holds from")).to_be_visible()
    statement = page.locator("#statement")
    await expect(statement.get_by_role("row", name="Engineering")).to_be_visible()

    await page.get_by_role("button", name="Lines of Search").click()
    await expect(page.locator("#statement-lines")).to_contain_text("ENG / 4711")
    await page.get_by_role("button", name="Hide the lines").click()
    async with page.expect_download() as download:
        await page.get_by_role("link", name="The month as PDF").click()
    assert (await download.value).suggested_filename == f"chargeback-{LAST.start:%Y-%m-%d}.pdf"

    await page.get_by_role("button", name="Close month").click()
    question = page.get_by_role("alertdialog")
    await expect(question).to_contain_text("can’t be changed")
    await question.get_by_role("button", name="Close month").click()
    await expect(page.get_by_text("is closed. What comes late")).to_be_visible()
    await expect(page.locator("#statement-card")).to_contain_text("Closed")
    await expect(page.get_by_role("button", name="Close month")).to_be_hidden()

    # A locked policy is refused with the reason, in the dialog
    await (
        page.get_by_role("button", name="Remove shared")
        .or_(page.get_by_role("button", name="Remove rule 1"))
        .first.click()
    )
    await page.get_by_role("button", name="Save…").click()
    form = page.get_by_role("dialog")
    await form.get_by_role("button", name="Save").click()
    await expect(form.get_by_role("alert").last).to_contain_text("Months are closed until")
    await page.keyboard.press("Escape")

    await page.set_viewport_size(PHONE)
    wide = await page.evaluate("document.documentElement.scrollWidth")
    assert wide <= PHONE["width"]
    statement = page.locator("#statement")
    assert await statement.evaluate("of => of.scrollWidth <= of.parentElement.clientWidth")
    await expect(statement.get_by_text("Earlier months")).to_be_hidden()
