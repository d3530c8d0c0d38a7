"""The address holds what a page shows: over a reload, in another tab, through signing in."""

from __future__ import annotations

import pytest
from playwright.async_api import Page, expect

from tests.journey.conftest import Farebox, person_at
from tests.journey.steps import visit

pytestmark = [pytest.mark.browser, pytest.mark.timeout(900)]


async def test_a_view_of_usage_outlasts_a_reload_and_a_sign_in(
    page: Page, farebox: Farebox
) -> None:
    async with person_at(farebox) as person:
        await person.labels.declare("team", tenant="local")
    await visit(page, "Usage")
    await page.get_by_role("combobox", name="Range").click()
    await page.get_by_role("option", name="Last 7 days").click()
    await page.get_by_role("combobox", name="Split by").click()
    await page.get_by_role("option", name="By model").click()
    await page.wait_for_url("**range=week&split=model")
    await page.get_by_role("combobox", name="Model").click()
    await page.get_by_role("option", name="SmolLM2 135M Instruct").click()
    await page.wait_for_url("**range=week&split=model&model=smollm2-135m-instruct")
    label = page.get_by_label("Label")
    await label.fill("no value")
    await label.blur()
    await expect(page.get_by_text("Write it as name=value")).to_be_visible()
    await page.reload()
    await expect(page.get_by_role("combobox", name="Range")).to_have_text("Last 7 days")
    await expect(page.get_by_role("combobox", name="Split by")).to_have_text("By model")
    await expect(page.get_by_role("combobox", name="Model")).to_have_text("SmolLM2 135M Instruct")
    await page.get_by_role("button", name="Clear filters").click()
    await page.wait_for_url("**range=week&split=model")

    address = page.url
    await page.context.clear_cookies()
    await page.goto(address)
    await page.get_by_role("button", name="Continue on this machine").click()
    await page.wait_for_url("**range=week&split=model")
    await expect(page.get_by_role("combobox", name="Range")).to_have_text("Last 7 days")


async def test_filters_of_events_are_in_the_address_and_a_link_into_them_is_kept(
    page: Page,
) -> None:
    await page.goto("/events/?source=nowhere")
    await expect(page.get_by_text("No matching events")).to_be_visible()
    await page.get_by_label("Source").fill("elsewhere")
    await page.get_by_role("button", name="Find").click()
    await page.wait_for_url("**source=elsewhere")
    # A link to other filters in the same tab, whose page still has these
    await page.goto("/events/?source=nowhere")
    await expect(page.get_by_label("Source")).to_have_value("nowhere")
    assert page.url.endswith("source=nowhere")
