"""A person says how they are named and taxed on invoices; who may not can read it."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import BrowserContext, Locator, Page, expect

from backend_client.types.accounts import Role
from backend_client.types.invoices import BillingDetails
from tests.journey.conftest import Farebox, person_at, sign_in
from tests.journey.steps import AGAIN_SECONDS, visit
from tests.journey.test_roles import acting_as
from tests.support.waiting import until

pytestmark = pytest.mark.browser


@pytest.fixture(autouse=True)
async def nothing_said(farebox: Farebox) -> AsyncIterator[None]:
    """Leave the tenant as the other journeys know it."""
    yield
    async with person_at(farebox) as person:
        await person.billing_details.update(BillingDetails())


async def open_details(page: Page) -> Locator:
    await page.get_by_role("button", name="Billing details").click()
    dialog = page.get_by_role("dialog", name="Billing details")
    await expect(dialog.get_by_role("button").last).to_be_visible()
    return dialog


async def test_the_details_are_changed_and_stay(page: Page, farebox: Farebox) -> None:
    await visit(page, "Invoices")
    dialog = await open_details(page)
    await dialog.get_by_label("Name").fill("Sample Ltd")
    await dialog.get_by_label("Address").fill("1 Sample Street\n12345 Sample Town")
    await dialog.get_by_label("E-mail").fill("bills")
    await dialog.get_by_label("Region").fill("Québec")
    await dialog.get_by_role("checkbox", name="We buy as a business").click()
    await dialog.get_by_label("Tax id").fill("CA 123")
    await dialog.get_by_role("button", name="Save").click()

    # What is wrong stands at its field, and what was written stays
    for label, said in (("E-mail", "Write an e-mail address"), ("Region", "Write its code")):
        wrong = dialog.get_by_label(label)
        await expect(wrong).to_have_attribute("aria-invalid", "true")
        await expect(wrong).to_have_accessible_description(re.compile(said))
    await expect(dialog.get_by_label("Name")).to_have_attribute("aria-invalid", "false")
    await expect(dialog.get_by_label("Region")).to_have_value("Québec")
    await dialog.get_by_label("E-mail").fill("bills@sample.example")
    await dialog.get_by_label("Region").fill("ca-qc")
    await dialog.get_by_role("button", name="Save").click()
    await expect(dialog.get_by_label("E-mail")).to_have_attribute("aria-invalid", "false")
    # The region has to be one of a country
    await expect(dialog.get_by_label("Region")).to_have_attribute("aria-invalid", "true")

    # The country by keyboard: the list goes to what is typed
    await dialog.get_by_label("Country").press("Enter")
    await expect(page.get_by_role("option", name="Not set")).to_be_focused()
    await page.keyboard.type("Canada")
    await expect(page.get_by_role("option", name="Canada")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(dialog.get_by_label("Country")).to_have_text("Canada")
    await dialog.get_by_label("Tax id").press("Enter")
    await expect(dialog).to_be_hidden()
    done = page.get_by_role("region", name="What was done")
    await expect(done).to_contain_text("Billing details saved")
    # The focus goes back to what opened the dialog, so it has to be read out
    await expect(page.get_by_role("button", name="Billing details")).to_be_focused()
    await expect(page.get_by_role("status").filter(has=done)).to_have_count(1)
    async with person_at(farebox) as person:
        kept = await person.billing_details.get()
    assert kept == BillingDetails(
        name="Sample Ltd",
        address=["1 Sample Street", "12345 Sample Town"],
        email="bills@sample.example",
        country="CA",
        region="QC",
        business=True,
        tax_id="CA 123",
    )

    await page.reload()
    await expect(page.get_by_role("button", name="Billing details")).to_be_visible()
    await expect(done).to_have_count(0)
    dialog = await open_details(page)
    await expect(dialog.get_by_label("Name")).to_have_value("Sample Ltd")
    await expect(dialog.get_by_label("Address")).to_have_value("1 Sample Street\n12345 Sample Town")
    await expect(dialog.get_by_label("Country")).to_have_text("Canada")
    await expect(dialog.get_by_label("Region")).to_have_value("QC")
    await expect(dialog.get_by_role("checkbox", name="We buy as a business")).to_be_checked()
    await page.keyboard.press("Escape")
    await expect(dialog).to_be_hidden()
    await expect(page.get_by_role("button", name="Billing details")).to_be_focused()

    # The next invoice is made out so
    await page.get_by_role("button", name="Open Next invoice").click()
    await expect(page.locator("#invoice")).to_contain_text("Billed to Sample Ltd, 1 Sample Street")


async def test_who_may_not_change_them_reads_them(
    context: BrowserContext, farebox: Farebox
) -> None:
    async with person_at(farebox) as person:
        await person.billing_details.update(BillingDetails(name="Sample Ltd", country="DE"))
    async with acting_as(farebox, Role.DEVELOPER):
        page = await context.new_page()
        await sign_in(page)
        await visit(page, "Invoices")
        dialog = await open_details(page)
        await expect(dialog.locator("#billing-facts")).to_contain_text("Germany (DE)")
        await expect(dialog).to_contain_text("Owners, admins and members")
        await expect(dialog.get_by_role("textbox")).to_have_count(0)
        await expect(dialog.get_by_role("button")).to_have_text(["Close"])
        await dialog.get_by_role("button", name="Close").click()
        await expect(dialog).to_be_hidden()


async def test_a_form_that_was_open_before_the_role_changed_is_refused(
    page: Page, context: BrowserContext, farebox: Farebox
) -> None:
    await visit(page, "Invoices")
    dialog = await open_details(page)
    await dialog.get_by_label("Name").fill("Of a developer")
    async with acting_as(farebox, Role.DEVELOPER):
        other = await context.new_page()

        async def known() -> bool:
            # The portal asks the API who a session is every few seconds
            await other.goto("/")
            switch = other.get_by_role("button", name="Switch organization")
            return "developer" in await switch.inner_text()

        await until(known, pause=AGAIN_SECONDS)
        await dialog.get_by_role("button", name="Save").click()
        refused = dialog.get_by_role("alert").filter(has_text="Your role here (developer)")
        await expect(refused).to_be_visible()
    async with person_at(farebox) as person:
        assert await person.billing_details.get() == BillingDetails()
