"""A seller makes a sample customer on a test clock, advances it, and sees its first invoice."""

from __future__ import annotations

from decimal import Decimal

import pytest
from playwright.async_api import Page, expect

from backend_client.types.invoices import OneOffInvoiceCreate, OneOffLine
from tests.journey.conftest import Farebox, person_at
from tests.journey.steps import visit
from tests.journey.test_access import lacking

pytestmark = [pytest.mark.browser, pytest.mark.timeout(900)]

NAME = "Sample: a year of a plan"


async def test_a_seller_sees_a_plans_first_months_at_once(page: Page, farebox: Farebox) -> None:
    await visit(page, "Customers")
    await page.get_by_role("button", name="New customer").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("Name").fill(NAME)
    await dialog.get_by_label("Slug").fill("clock-journey")
    await dialog.get_by_label("Test clock from").fill("2031-01-01")
    await dialog.get_by_role("button", name="Create the customer").click()
    await dialog.get_by_role("link", name="Open the customer").click()
    banner = page.get_by_role("note")
    await expect(banner).to_contain_text("for this customer it is 1 Jan 2031, 00:00:00")
    await banner.get_by_role("link", name="Advance it").click()

    await expect(page.get_by_role("heading", name=f"Test clock: {NAME}")).to_be_visible()
    main = page.get_by_role("main")
    await expect(main).to_contain_text("Nothing yet")
    async with person_at(farebox) as person:
        set_up = OneOffInvoiceCreate(lines=[OneOffLine(name="Set-up", unit_price=Decimal(5))])
        await person.invoices.create(set_up, tenant="clock-journey")
    for _ in range(2):
        await page.get_by_role("button", name="Advance", exact=True).click()
        await expect(dialog).to_be_visible()
        assert await lacking(page, whole=False) == []
        await dialog.get_by_role("button", name="Advance the clock").click()
        await expect(dialog).to_have_count(0)
        await expect(main.get_by_role("status").filter(has_text="Ready")).to_be_visible()
    await expect(main).to_contain_text("1 Mar 2031, 00:00:00")
    happened = page.get_by_role("row")
    await expect(happened.filter(has_text="Invoice issued")).to_contain_text("1 Jan 2031, 00:00:00")
    await expect(happened.filter(has_text="Reminder").first).to_contain_text("Feb 2031, 00:00:00")
    await page.get_by_role("button", name="Advance", exact=True).click()
    await dialog.get_by_role("combobox", name="How far").click()
    await page.get_by_role("option", name="To a day and time").click()
    await dialog.get_by_label("Day and time").fill("2031-02-01T00:00")
    await dialog.get_by_role("button", name="Advance the clock").click()
    await expect(dialog).to_contain_text("only goes forward")
    await page.keyboard.press("Escape")
    await expect(dialog).to_have_count(0)
    assert await lacking(page) == []
