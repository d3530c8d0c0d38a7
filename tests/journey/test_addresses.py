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


async def test_calls_between_two_times_are_in_the_address(page: Page) -> None:
    await page.goto("/requests/?span=between&since=2020-01-01T00:00&until=2020-01-02T00:00")
    await expect(page.get_by_label("From")).to_have_value("2020-01-01T00:00")
    await page.get_by_label("To", exact=True).fill("2019-12-31T00:00")
    await page.get_by_role("button", name="Find").click()
    await expect(page.get_by_text("The end is not after the start.")).to_be_visible()
    await page.get_by_label("To", exact=True).fill("2020-01-03T00:00")
    await page.get_by_role("button", name="Find").click()
    await page.wait_for_url("**until=2020-01-03T00%3A00")
    await expect(page.get_by_text("The end is not after the start.")).to_be_hidden()
    await page.get_by_role("combobox", name="Time").click()
    await page.get_by_role("option", name="Last 30 days").click()
    await page.wait_for_url("**/requests/?span=month")
    await expect(page.get_by_label("From")).to_be_hidden()


async def test_filters_of_the_audit_and_whose_it_is_are_in_the_address(page: Page) -> None:
    await page.goto("/audit/?action=nothing.ever")
    await expect(page.get_by_label("Action")).to_have_value("nothing.ever")
    await expect(page.get_by_text("No entries")).to_be_visible()
    await page.get_by_role("radio", name="Everybody").click()
    await page.wait_for_url("**/audit/?action=nothing.ever&everybody=1")
    await page.reload()
    await expect(page.get_by_role("radio", name="Everybody")).to_be_checked()
    await expect(page.get_by_label("Action")).to_have_value("nothing.ever")
    await page.get_by_role("button", name="Clear").click()
    await page.wait_for_url("**/audit/?everybody=1")
    await expect(page.get_by_role("row").nth(1)).to_be_visible()


async def test_what_is_looked_for_among_events_to_correct_is_in_the_address(page: Page) -> None:
    await page.goto("/corrections/?tenant=nobody-is-called-so")
    await page.get_by_label("Source").fill("nowhere")
    await page.get_by_role("button", name="Find").click()
    await expect(page.get_by_text("No matching event.")).to_be_visible()
    await page.wait_for_url("**/corrections/?tenant=local&source=nowhere")
    await page.reload()
    await expect(page.get_by_label("Source")).to_have_value("nowhere")
    await expect(page.get_by_text("No matching event.")).to_be_visible()
